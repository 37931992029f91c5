#include "sim/metrics/timeline.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

// Integral of a level or flow over the whole run.
double total(const Timeline& t, int series) {
  double sum = 0;
  for (std::size_t b = 0; b < t.bins(); ++b) {
    sum += t.value(series, b) * (t.bin_end(b) - t.bin_begin(b)).value;
  }
  return sum;
}

}  // namespace

TEST_CASE("a level is averaged over the time it lasted") {
  Timeline t({{"queue", SeriesKind::level}}, Seconds{1});
  t.set(0, Seconds{0}, 2);
  t.set(0, Seconds{0.5}, 4);
  t.set(0, Seconds{2.25}, 0);
  t.close(Seconds{2.5});
  REQUIRE(t.bins() == 3);
  CHECK(t.value(0, 0) == Approx(3));
  CHECK(t.value(0, 1) == Approx(4));
  CHECK(t.value(0, 2) == Approx(2));
  CHECK(t.largest(0, 0) == 4);
  CHECK(t.bin_end(2).value == Approx(2.5));
}

TEST_CASE("a flow is its amount per second") {
  Timeline t({{"tokens_per_s", SeriesKind::flow}}, Seconds{1});
  t.add(0, Seconds{0.1}, 10);
  t.add(0, Seconds{0.9}, 20);
  t.add(0, Seconds{2.5}, 5);
  t.close(Seconds{3});
  REQUIRE(t.bins() == 3);
  CHECK(t.value(0, 0) == Approx(30));
  CHECK(t.value(0, 1) == 0);
  CHECK(t.value(0, 2) == Approx(5));
}

TEST_CASE("samples are averaged by weight and bins without one say so") {
  Timeline t({{"balancedness", SeriesKind::sample}}, Seconds{1});
  t.sample(0, Seconds{0}, 1, 1);
  t.sample(0, Seconds{0.5}, 0.5, 3);
  t.sample(0, Seconds{2}, 0.25);
  t.close(Seconds{2.5});
  CHECK(t.value(0, 0) == Approx(0.625));
  CHECK_FALSE(t.has(0, 1));
  CHECK(t.value(0, 2) == 0.25);
}

TEST_CASE("bins double without losing anything") {
  REQUIRE(rc::check("integrals", [] {
    Timeline t({{"level", SeriesKind::level}, {"flow", SeriesKind::flow}}, Seconds{1e-3});
    double now = 0;
    double level = 0;
    double integral = 0;
    double amount = 0;
    const int n = *rc::gen::inRange(1, 200);
    for (int i = 0; i < n; ++i) {
      const double gap = *rc::gen::inRange(0, 1000) * 1e-3;
      const double value = *rc::gen::inRange(0, 50);
      integral += level * gap;
      now += gap;
      t.set(0, Seconds{now}, value);
      t.add(1, Seconds{now}, value);
      level = value;
      amount += value;
    }
    now += 0.5;
    integral += level * 0.5;
    t.close(Seconds{now});
    RC_ASSERT(t.bins() <= Timeline::kBins);
    RC_ASSERT(std::abs(total(t, 0) - integral) < 1e-9 * (1 + integral));
    RC_ASSERT(std::abs(total(t, 1) - amount) < 1e-9 * (1 + amount));
  }));
}
