#include "sim/router/inclusion.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/router/grouped_inclusion.hpp"
#include "sim/router/token_sampler.hpp"

using namespace moesim;

namespace {

std::vector<double> lognormal_rates(int experts, double sigma) {
  Stream stream(3, "test.rates");
  std::vector<double> rates(static_cast<std::size_t>(experts));
  for (double& rate : rates) rate = std::exp(sigma * stream.normal());
  return rates;
}

double mean_error(const std::vector<double>& pi, const std::vector<double>& exact) {
  double error = 0;
  for (std::size_t e = 0; e < pi.size(); ++e) error += std::abs(pi[e] / exact[e] - 1);
  return error / static_cast<double>(pi.size());
}

double sum(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0); }

}  // namespace

TEST_CASE("top-1: an expert's inclusion is its share of the rates") {
  const std::vector<double> rates{9, 1, 4, 2};
  std::vector<double> pi(4);
  exact_inclusion(rates, 1, pi);
  for (std::size_t e = 0; e < 4; ++e) CHECK(pi[e] == Approx(rates[e] / 16).epsilon(1e-9));
}

TEST_CASE("top-2 of three: pi_a = a + b a/(a+c) + c a/(a+b), the rates summing to 1") {
  const std::vector<double> r{5, 3, 2};
  std::vector<double> pi(3);
  exact_inclusion(r, 2, pi);
  CHECK(pi[0] == Approx(0.5 + 0.3 * 5 / 7 + 0.2 * 5 / 8).epsilon(1e-6));
  CHECK(pi[1] == Approx(0.3 + 0.5 * 3 / 5 + 0.2 * 3 / 8).epsilon(1e-6));
}

TEST_CASE("inclusion probabilities sum to top_k and lie in [0, 1]") {
  for (const int k : {1, 2, 7, 22, 64}) {
    for (const double sigma : {0.0, 0.5, 2.0, 4.0}) {
      const auto rates = lognormal_rates(64, sigma);
      std::vector<double> pi(64);
      inclusion(rates, k, pi);
      CHECK(sum(pi) == Approx(k));
      CHECK(*std::min_element(pi.begin(), pi.end()) >= 0);
      CHECK(*std::max_element(pi.begin(), pi.end()) <= 1);
      level_inclusion(rates, k, pi);
      CHECK(sum(pi) == Approx(k));
    }
  }
}

TEST_CASE("the closed form is within .3 % of the exact integral from 32 experts on") {
  struct Case {
    int experts, k;
    double sigma;
  };
  for (const Case c : {Case{32, 1, 0.7}, {32, 4, 0.7}, {64, 6, 0.7}, {128, 8, 1.0}}) {
    const auto rates = lognormal_rates(c.experts, c.sigma);
    std::vector<double> pi(rates.size());
    std::vector<double> exact(rates.size());
    inclusion(rates, c.k, pi);
    exact_inclusion(rates, c.k, exact);
    INFO(c.experts << " experts, top " << c.k);
    CHECK(mean_error(pi, exact) < 0.003);
  }
}

TEST_CASE("a rate read off an inclusion gives it back at level 1") {
  for (const double pi : {1e-6, 0.1, 0.5, 0.97}) {
    CHECK(1 - std::exp(-rate_of(pi)) == Approx(pi).epsilon(1e-9));
  }
}

TEST_CASE("the token sampler draws Gumbel top-k: its marginals are the exact integral's") {
  const auto rates = lognormal_rates(16, 1.0);
  const RouterShape shape{.layers = 1, .experts = 16, .top_k = 4};
  TokenSampler sampler(shape, rates);
  std::vector<double> exact(16);
  exact_inclusion(rates, 4, exact);
  std::vector<double> seen(16);
  std::vector<int> chosen(4);
  Stream stream(1, "test.tokens");
  constexpr int kTokens = 200000;
  for (int t = 0; t < kTokens; ++t) {
    sampler.draw(stream, chosen);
    for (const int e : chosen) seen[static_cast<std::size_t>(e)] += 1.0 / kTokens;
  }
  // Each is binomial: five standard deviations.
  for (std::size_t e = 0; e < 16; ++e) {
    CHECK(std::abs(seen[e] - exact[e]) <
          5 * std::sqrt(exact[e] * (1 - exact[e]) / kTokens) + 1e-9);
  }
}

TEST_CASE("limited groups: the sampler does what the scores say, one Gumbel per expert") {
  // The rule written out: add Gumbel noise, keep the best groups, take the top k.
  for (const GroupScore score : {GroupScore::two_best, GroupScore::best}) {
    const RouterShape shape{.layers = 1,
                            .experts = 32,
                            .top_k = 4,
                            .expert_groups = 4,
                            .top_groups = 2,
                            .group_score = score};
    const auto rates = lognormal_rates(32, 0.8);
    std::vector<double> plain(32);
    std::vector<double> fast(32);
    Stream stream(1, "test.groups");
    constexpr int kTokens = 100000;
    std::vector<double> theta(32);
    for (int t = 0; t < kTokens; ++t) {
      std::vector<std::pair<double, std::size_t>> groups;
      for (std::size_t g = 0; g < 4; ++g) {
        for (std::size_t e = g * 8; e < g * 8 + 8; ++e) {
          theta[e] = std::log(rates[e]) + stream.gumbel();
        }
        std::vector<double> best(theta.begin() + static_cast<long>(g) * 8,
                                 theta.begin() + static_cast<long>(g) * 8 + 8);
        std::sort(best.begin(), best.end(), std::greater<>());
        groups.emplace_back(score == GroupScore::best ? best[0] : best[0] + best[1], g);
      }
      std::sort(groups.begin(), groups.end(), std::greater<>());
      std::vector<std::pair<double, std::size_t>> scores;
      for (int i = 0; i < 2; ++i) {
        const std::size_t first = groups[static_cast<std::size_t>(i)].second * 8;
        for (std::size_t e = first; e < first + 8; ++e) scores.emplace_back(theta[e], e);
      }
      std::sort(scores.begin(), scores.end(), std::greater<>());
      for (std::size_t i = 0; i < 4; ++i) plain[scores[i].second] += 1.0 / kTokens;
    }
    TokenSampler sampler(shape, rates);
    std::vector<int> chosen(4);
    for (int t = 0; t < kTokens; ++t) {
      sampler.draw(stream, chosen);
      for (const int e : chosen) fast[static_cast<std::size_t>(e)] += 1.0 / kTokens;
    }
    for (std::size_t e = 0; e < 32; ++e) {
      CHECK(std::abs(fast[e] - plain[e]) <
            5 * std::sqrt(2 * plain[e] * (1 - plain[e]) / kTokens) + 1e-9);
    }
    std::vector<double> pi(32);
    grouped_inclusion(group_thresholds(shape, rates, 20000, stream), rates, 4, pi);
    CHECK(sum(pi) == Approx(4));
    CHECK(mean_error(pi, fast) < 0.03);
  }
}

TEST_CASE("an expert that takes nearly everything does not slow the sampler to a halt") {
  std::vector<double> rates(64, 1e-12);
  rates[3] = 1;
  TokenSampler sampler({.layers = 1, .experts = 64, .top_k = 8}, rates);
  Stream stream(1, "test.hot");
  std::vector<int> chosen(8);
  for (int t = 0; t < 1000; ++t) {
    sampler.draw(stream, chosen);
    CHECK(chosen[0] == 3);
  }
}
