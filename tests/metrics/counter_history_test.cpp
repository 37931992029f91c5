// Growing counters over time, in bounded memory.
#include <rapidcheck.h>
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>

#include "sim/base/rng.hpp"
#include "sim/metrics/counter_history.hpp"

using namespace moesim;

TEST_CASE("a counter that grows evenly grows by rate x width in every interval") {
  CounterHistory history(1, Seconds{1});
  for (int i = 1; i <= 5; ++i) {
    const std::array<double, 1> counters{3.0 * i};
    history.see(Seconds{i - 1.0}, Seconds{1.0 * i}, counters);
  }
  CHECK(history.bins() == 5);
  for (int b = 0; b < 5; ++b) {
    CHECK(history.at(0, Seconds{b + 1.0}) - history.at(0, Seconds{1.0 * b}) == Approx(3));
  }
}

TEST_CASE("nothing grows between the end of one step and the begin of the next") {
  CounterHistory history(1, Seconds{1});
  history.see(Seconds{0}, Seconds{1}, std::array<double, 1>{1.0});
  history.see(Seconds{9}, Seconds{10}, std::array<double, 1>{2.0});
  CHECK(history.at(0, Seconds{5}) == Approx(1));
  CHECK(history.at(0, Seconds{9}) == Approx(1));
  CHECK(history.at(0, Seconds{9.5}) == Approx(1.5));
  CHECK(history.at(0, Seconds{10}) == Approx(2));
}

TEST_CASE("the growth of the intervals adds up to the counter, however long the run") {
  rc::check([] {
    const int steps = *rc::gen::inRange(1, 3000);
    CounterHistory history(2, Seconds{0.01});
    Stream random(static_cast<std::uint64_t>(steps), "steps");
    std::array<double, 2> counters{};
    Seconds end{0};
    for (int i = 0; i < steps; ++i) {
      const Seconds begin = end + Seconds{random.uniform() < 0.5 ? 0 : random.uniform()};
      end = begin + Seconds{random.uniform()};
      for (double& c : counters) c += random.uniform() * (end - begin).value;
      history.see(begin, end, counters);
    }
    RC_ASSERT(history.bins() <= CounterHistory::kBins + 1);
    for (std::size_t c = 0; c < 2; ++c) {
      double sum = 0;
      for (std::size_t b = 0; b < history.bins(); ++b) {
        const Seconds from = history.bin_width() * static_cast<double>(b);
        const Seconds to = std::min(end, from + history.bin_width());
        const double grown = history.at(c, to) - history.at(c, from);
        RC_ASSERT(grown >= 0);
        RC_ASSERT(grown <= (to - from).value * (1 + 1e-9) + 1e-9);  // rate <= 1
        sum += grown;
      }
      RC_ASSERT(std::abs(sum - counters[c]) <= 1e-9 * counters[c]);
    }
  });
}
