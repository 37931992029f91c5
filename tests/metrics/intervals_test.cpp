#include "sim/metrics/intervals.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <vector>

#include "sim/base/rng.hpp"

using namespace moesim;

namespace {

double mean_of(std::span<const double> v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

// AR(1): x' = rho x + e, stationary mean 0.
std::vector<double> autoregressive(Stream& random, std::size_t n, double rho, double start) {
  std::vector<double> series;
  double x = start;
  for (std::size_t i = 0; i < n; ++i) series.push_back(x = rho * x + random.normal());
  return series;
}

}  // namespace

TEST_CASE("Student's quantiles are those of the tables") {
  CHECK(t_quantile(0.95, 2) == Approx(4.30265).epsilon(1e-5));
  CHECK(t_quantile(0.95, 19) == Approx(2.09302).epsilon(1e-5));
  CHECK(t_quantile(0.99, 10) == Approx(3.16927).epsilon(1e-5));
}

TEST_CASE("95 % of the intervals over independent replications hold the mean") {
  Stream random(1, "coverage");
  int held = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    std::vector<double> values(8);
    for (double& v : values) v = random.normal();
    const auto i = replication_interval(values);
    held += i->low <= 0 && 0 <= i->high;
  }
  // 3 standard deviations of a binomial share: .0103.
  CHECK(held / 4000.0 == Approx(0.95).margin(0.0103));
}

TEST_CASE(
    "batches hold the mean of a correlated series far better than pretended independence") {
  Stream random(2, "coverage");
  int batched = 0;
  int naive = 0;
  for (int trial = 0; trial < 400; ++trial) {
    auto series = autoregressive(random, 4000, 0.9, 0);
    const auto b = batch_interval(series, mean_of);
    const auto n = replication_interval(series);
    batched += b->low <= 0 && 0 <= b->high;
    naive += n->low <= 0 && 0 <= n->high;
  }
  CHECK(batched >= 0.90 * 400);
  CHECK(naive < 0.5 * 400);
}

TEST_CASE("too little data gives no interval") {
  CHECK_FALSE(replication_interval(std::vector<double>{1}));
  CHECK_FALSE(batch_interval(std::vector<double>(49, 1), mean_of));
}

TEST_CASE("MSER-5 drops a transient and little of a steady series") {
  Stream random(3, "mser");
  const auto high = autoregressive(random, 5000, 0.95, 400);  // decays within about 100
  CHECK(mser5(high) >= 60);
  CHECK(mser5(high) <= 400);
  std::vector<double> steady(5000);
  for (double& v : steady) v = random.normal();
  CHECK(mser5(steady) <= 2500);
  CHECK(mser5(std::vector<double>(1000, 1.0)) == 0);
  CHECK(mser5({}) == 0);
}
