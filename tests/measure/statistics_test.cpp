#include "calibrate/measure/statistics.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "sim/base/rng.hpp"

using namespace moesim;

TEST_CASE("the interval of the median has the ranks of the binomial table") {
  // Conover, table A3 / any table of sign-test limits at 95 %: n -> r, n - 1 - r (from 0).
  CHECK(median_interval_ranks(6) == std::pair{0, 5});
  CHECK(median_interval_ranks(10) == std::pair{1, 8});
  CHECK(median_interval_ranks(20) == std::pair{5, 14});
  CHECK(median_interval_ranks(25) == std::pair{7, 17});
  CHECK(median_interval_ranks(100) == std::pair{39, 60});
}

TEST_CASE("the interval holds the true median at least 95 times in 100") {
  Stream stream(3, "coverage");
  int held = 0;
  constexpr int trials = 2000;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> sample(31);
    for (double& x : sample) x = std::exp(0.3 * stream.normal());
    const Summary s = summarize(sample);
    held += s.low <= 1.0 && 1.0 <= s.high;
  }
  // P >= .95 exactly by theory; three standard deviations of the trial below it.
  CHECK(held >= trials * (0.95 - 3 * std::sqrt(0.95 * 0.05 / trials)));
}

TEST_CASE("the median of an even sample is the mean of its two middle values") {
  const Summary s = summarize(std::vector<double>{4, 1, 3, 2});
  CHECK(s.median == 2.5);
  CHECK(s.low == 1);
  CHECK(s.high == 4);
  CHECK(s.p99 == 4);
  CHECK(s.count == 4);
}
