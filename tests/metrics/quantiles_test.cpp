#include "sim/metrics/quantiles.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include "sim/base/rng.hpp"

using namespace moesim;

TEST_CASE("a quantile interpolates linearly between order statistics") {
  // Type 7: rank p (n - 1). numpy.percentile([1, 2, 4, 8], [0, 50, 90, 100]) = 1, 3, 6.8, 8.
  const std::vector<double> v{1, 2, 4, 8};
  CHECK(quantile_of_sorted(v, 0) == 1);
  CHECK(quantile_of_sorted(v, 0.5) == Approx(3));
  CHECK(quantile_of_sorted(v, 0.9) == Approx(6.8));
  CHECK(quantile_of_sorted(v, 1) == 8);
  CHECK(quantile_of_sorted(std::vector<double>{5}, 0.99) == 5);
}

TEST_CASE("a small sketch gives the element of nearest rank exactly") {
  QuantileSketch sketch;
  for (int i = 100; i >= 1; --i) sketch.add(i);
  CHECK(sketch.exact());
  CHECK(sketch.quantile(0.5) == 50);
  CHECK(sketch.quantile(0.99) == 99);
  CHECK(sketch.quantile(1) == 100);
  CHECK(sketch.quantile(0) == 1);
  CHECK(sketch.mean() == Approx(50.5));
}

TEST_CASE("few distinct values stay exact however often they come") {
  QuantileSketch sketch;
  for (int i = 0; i < 100'000; ++i) sketch.add(i % 10 * 1e-3, 1000);
  CHECK(sketch.exact());
  CHECK(sketch.count() == 100'000'000);
  CHECK(sketch.quantile(0.9) == 8e-3);
}

TEST_CASE("a large sketch is within its relative error of the element of nearest rank") {
  Stream random(3, "sketch");
  QuantileSketch sketch;
  std::vector<double> values;
  for (int i = 0; i < 200'000; ++i) {
    const double value = random.lognormal(0.02, 2);
    values.push_back(value);
    sketch.add(value);
  }
  CHECK_FALSE(sketch.exact());
  std::sort(values.begin(), values.end());
  for (const double p : {0.001, 0.1, 0.5, 0.9, 0.99, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(p * 200'000 - 1e-9)) - 1;
    CHECK(std::abs(sketch.quantile(p) / values[rank] - 1) <=
          QuantileSketch::kRelativeError * (1 + 1e-9));
  }
  CHECK(sketch.max() == values.back());
}

TEST_CASE("merging sketches is adding everything to one") {
  REQUIRE(rc::check("merge", [] {
    Stream random(*rc::gen::arbitrary<std::uint64_t>(), "merge");
    QuantileSketch parts[2];
    QuantileSketch whole;
    const int n = *rc::gen::element(0, 10, 3000, 9000);
    for (int i = 0; i < n; ++i) {
      const double value = random.exponential(1);
      parts[random.below(3) == 0 ? 0 : 1].add(value);
      whole.add(value);
    }
    parts[0].merge(parts[1]);
    RC_ASSERT(parts[0].count() == whole.count());
    if (n == 0) return;
    RC_ASSERT(parts[0].max() == whole.max());
    RC_ASSERT(parts[0].min() == whole.min());
    for (const double p : {0.01, 0.5, 0.99}) {
      RC_ASSERT(std::abs(parts[0].quantile(p) / whole.quantile(p) - 1) < 0.0021);
    }
  }));
}
