#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

#include "sim/router/inclusion.hpp"
#include "sim/router/token_sampler.hpp"

using namespace moesim;

TEST_CASE("a token's next best expert is e with a chance in proportion to d pi / d log rate") {
  // P(the k+1-th ring is e's) ~ rate_e exp(-rate_e tau) = (1 - pi_e) rate_of(pi_e), against
  // exact tokens with one more choice.
  const int k = 4;
  const std::size_t experts = 32;
  std::vector<double> rate(experts);
  for (std::size_t e = 0; e < experts; ++e) rate[e] = 1 + static_cast<double>(e) / 4;
  std::vector<double> pi(experts);
  level_inclusion(rate, k, pi);
  std::vector<double> expected(experts);
  for (std::size_t e = 0; e < experts; ++e) expected[e] = (1 - pi[e]) * rate_of(pi[e]);
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);

  TokenSampler sampler({.layers = 1, .experts = 32, .top_k = k + 1}, rate);
  Stream stream(1, "test.next_best");
  std::vector<int> chosen(k + 1);
  std::vector<double> seen(experts);
  const int tokens = 400000;
  for (int t = 0; t < tokens; ++t) {
    sampler.draw(stream, chosen);
    seen[static_cast<std::size_t>(chosen.back())] += 1.0 / tokens;
  }
  for (std::size_t e = 0; e < experts; ++e) {
    CAPTURE(e);
    CHECK(seen[e] == Approx(expected[e] / sum).epsilon(0.05));
  }
}
