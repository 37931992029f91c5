#include "sim/router/load_metrics.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

using namespace moesim;

TEST_CASE("an even load has max/mean 1, CV 0, Gini 0, entropy 1 and no dead expert") {
  const LoadMetrics m = measure_load(std::vector<int>{5, 5, 5, 5});
  CHECK(m.max_over_mean == 1);
  CHECK(m.cv == 0);
  CHECK(m.gini == 0);
  CHECK(m.entropy == Approx(1));
  CHECK(m.active == 4);
  CHECK(m.dead == 0);
}

TEST_CASE("all tokens on one of n experts: max/mean n, CV sqrt(n-1), Gini 1-1/n, entropy 0") {
  const LoadMetrics m = measure_load(std::vector<int>{0, 12, 0, 0, 0, 0});
  CHECK(m.max_over_mean == 6);
  CHECK(m.cv == Approx(std::sqrt(5.0)));
  CHECK(m.gini == Approx(1 - 1.0 / 6));
  CHECK(m.entropy == Approx(0).margin(1e-12));
  CHECK(m.active == 1);
  CHECK(m.dead == 5);
  CHECK(m.hot == 1);
}

TEST_CASE("an expert below 5 % of the mean is dead, one above 4 means is hot") {
  // 100 tokens, 10 experts: the mean is 10.
  const LoadMetrics m = measure_load(std::vector<int>{0, 1, 41, 8, 8, 8, 8, 8, 9, 9});
  CHECK(m.dead == 1);
  CHECK(m.hot == 1);
}

TEST_CASE("no tokens at all is not an error") {
  const LoadMetrics m = measure_load(std::vector<int>{0, 0});
  CHECK(m.dead == 2);
  CHECK(m.max_over_mean == 1);
}

TEST_CASE("the balance loss experts x sum f P is 1 when even and larger when skewed") {
  CHECK(balance_loss(std::vector<int>{5, 5}, std::vector<float>{0.5F, 0.5F}) == Approx(1));
  // f = (.8, .2), P = (.75, .25): 2 x (.6 + .05)
  CHECK(balance_loss(std::vector<int>{8, 2}, std::vector<float>{0.75F, 0.25F}) == Approx(1.3));
}

TEST_CASE("the share of the busiest experts") {
  CHECK(top_share(std::vector<int>{1, 2, 3, 4}, 2) == Approx(0.7));
  CHECK(top_share(std::vector<int>{1, 2, 3, 4}, 9) == Approx(1));
}
