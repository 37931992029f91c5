#include "sim/router/router.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>

using namespace moesim;

namespace {

const RouterShape kDeepSeekV3{
    .layers = 6, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4};

RouterOptions with_skew(const char* skew) {
  RouterOptions options;
  options.skew = skew;
  return options;
}

}  // namespace

TEST_CASE("each layer's counts sum to tokens x top_k and none exceeds the tokens") {
  for (const RouterPreset& preset : router_presets()) {
    Router router(with_skew(preset.name.data()), kDeepSeekV3, 1);
    ExpertCounts counts;
    for (const int tokens : {0, 1, 7, 100, 4096, 1000000}) {
      router.counts({.tokens = tokens}, counts);
      for (int layer = 0; layer < 6; ++layer) {
        const auto* row = counts.data() + layer * 256;
        INFO(preset.name << ", " << tokens << " tokens, layer " << layer);
        CHECK(std::accumulate(row, row + 256, 0LL) == 8LL * tokens);
        CHECK(*std::max_element(row, row + 256) <= tokens);
        CHECK(*std::min_element(row, row + 256) >= 0);
      }
    }
  }
}

TEST_CASE("a sampled token takes top_k different experts from at most top_groups groups") {
  Router router(with_skew("deepseek-v3"), kDeepSeekV3, 1);
  const TokenSample& sample = router.sample(3);
  for (int t = 0; t < sample.tokens; ++t) {
    std::set<int> experts;
    std::set<int> groups;
    for (const int e : sample.of(t)) {
      experts.insert(e);
      groups.insert(e / 32);
    }
    REQUIRE(experts.size() == 8);
    REQUIRE(groups.size() <= 4);
  }
}

TEST_CASE("the same seed gives the same counts, another seed others") {
  Router a(with_skew("deepseek-v3"), kDeepSeekV3, 1);
  Router b(with_skew("deepseek-v3"), kDeepSeekV3, 1);
  Router c(with_skew("deepseek-v3"), kDeepSeekV3, 2);
  ExpertCounts ca;
  ExpertCounts cb;
  ExpertCounts cc;
  a.counts({.tokens = 1000}, ca);
  b.counts({.tokens = 1000}, cb);
  c.counts({.tokens = 1000}, cc);
  CHECK(ca == cb);
  CHECK(ca != cc);
}

TEST_CASE(
    "jitter adds T^2 sigma^2 (d pi / d log rate)^2 to a count's variance, and keeps means") {
  // Var N = T pi (1 - pi) + T^2 sigma^2 g^2, g = -(1 - pi) log(1 - pi), up to the level that
  // keeps the sum; here 64 experts are alike, so a factor 1 - 1/64 on the jitter's part.
  RouterOptions options;
  options.skew = "balanced";
  options.step_jitter = 0.1;
  Router router(options, {.layers = 1, .experts = 64, .top_k = 4}, 1);
  ExpertCounts counts;
  const int tokens = 20000;
  double mean = 0;
  double square = 0;
  for (int s = 0; s < 2000; ++s) {
    router.counts({.tokens = tokens}, counts);
    for (const int n : counts) {
      mean += n / (2000.0 * 64);
      square += static_cast<double>(n) * n / (2000.0 * 64);
    }
  }
  const double pi = 4.0 / 64;
  const double g = -(1 - pi) * std::log(1 - pi);
  const double expected =
      tokens * pi * (1 - pi) + std::pow(tokens * 0.1 * g, 2) * (1 + 0.01 / 2) * 63 / 64;
  CHECK(mean == Approx(tokens * pi));
  CHECK(square - mean * mean == Approx(expected).epsilon(0.02));
}

TEST_CASE("few requests shake a step more than many") {
  Router router(with_skew("deepseek-v3"), {.layers = 1, .experts = 256, .top_k = 8}, 1);
  const auto spread = [&router](int requests) {
    ExpertCounts counts;
    double square = 0;
    for (int s = 0; s < 200; ++s) {
      router.counts({.tokens = 100000, .requests = requests}, counts);
      square += std::pow(counts[0] / 1e5 / router.inclusion()[0] - 1, 2) / 200;
    }
    return std::sqrt(square);
  };
  // hypot(.10, .3 / sqrt(R))
  CHECK(spread(1000000) == Approx(0.10).epsilon(0.2));
  CHECK(spread(4) == Approx(std::hypot(0.10, 0.15)).epsilon(0.2));
}

TEST_CASE("exact counts and fast counts have the same means") {
  RouterOptions options = with_skew("qwen3");
  const RouterShape shape{.layers = 1, .experts = 32, .top_k = 4};
  Router fast(options, shape, 1);
  options.exact = true;
  Router exact(options, shape, 1);
  ExpertCounts counts;
  std::vector<double> mean(32);
  for (int s = 0; s < 400; ++s) {
    exact.counts({.tokens = 1000}, counts);
    CHECK(std::accumulate(counts.begin(), counts.end(), 0) == 4000);
    for (std::size_t e = 0; e < 32; ++e) mean[e] += counts[e] / (400 * 1000.0);
  }
  for (std::size_t e = 0; e < 32; ++e)
    CHECK(mean[e] == Approx(fast.inclusion()[e]).epsilon(0.05));
}

TEST_CASE("drift: popularity wanders with the AR(1) spread and time, slowly") {
  RouterOptions options = with_skew("qwen3");
  options.drift_sigma = 0.3;
  options.drift_time = Seconds{600};
  Router router(options, {.layers = 8, .experts = 256, .top_k = 8}, 1);
  const std::vector<float> start(router.inclusion().begin(), router.inclusion().end());
  const auto moved = [&] {  // std of the change in log popularity
    double square = 0;
    for (std::size_t i = 0; i < start.size(); ++i) {
      square += std::pow(std::log(router.inclusion()[i] / start[i]), 2);
    }
    return std::sqrt(square / static_cast<double>(start.size()));
  };
  router.advance(Seconds{0.1});
  CHECK(moved() == 0);
  for (int t = 1; t <= 60; ++t) router.advance(Seconds{t * 1.0});
  // Var(x(t) - x(0)) = 2 sigma^2 (1 - exp(-t / time)), taken at the last update before 60 s
  CHECK(moved() == Approx(0.3 * std::sqrt(2 * (1 - std::exp(-0.1)))).epsilon(0.15));
  for (int t = 1; t <= 100; ++t) router.advance(Seconds{60 + t * 60.0});
  CHECK(moved() == Approx(0.3 * std::sqrt(2.0)).epsilon(0.1));
}

TEST_CASE("samples follow drift: their marginals are inclusion() of the same epoch") {
  RouterOptions options = with_skew("qwen3");
  options.drift_sigma = 0.4;
  Router router(options, {.layers = 2, .experts = 64, .top_k = 4}, 3);
  router.advance(Seconds{5000});
  TokenSample sample;
  Stream stream(1, "test.drift");
  router.draw_tokens(1, 400000, stream, sample);
  std::vector<double> pi(64);
  for (const int e : sample.expert) pi[static_cast<std::size_t>(e)] += 1.0 / 400000;
  double error = 0;
  for (std::size_t e = 0; e < 64; ++e)
    error += std::abs(router.inclusion()[64 + e] / pi[e] - 1) / 64;
  CHECK(error < 0.03);
}

TEST_CASE("the mix decides: a domain's share of the tokens moves counts between its experts") {
  Router router(with_skew("deepseek-v3"), {.layers = 2, .experts = 64, .top_k = 4}, 1,
                {"code", "law"});
  ExpertCounts counts;
  const std::vector<double> all_code{1, 0};
  router.counts({.tokens = 100, .share = all_code}, counts);
  const std::vector<float> code(router.inclusion().begin(), router.inclusion().end());
  const int epoch = router.epoch();
  const std::vector<double> half{1, 1};
  router.counts({.tokens = 100, .share = half}, counts);
  CHECK(router.epoch() > epoch);
  const std::vector<float> mixed(router.inclusion().begin(), router.inclusion().end());
  const std::vector<double> all_law{0, 5};
  router.counts({.tokens = 100, .share = all_law}, counts);
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    CHECK(mixed[i] == Approx((code[i] + router.inclusion()[i]) / 2).margin(1e-6));
  }
}

TEST_CASE("experts out of reach get no tokens and the sums hold") {
  RouterOptions options = with_skew("qwen3");
  options.expert_dropout = 0.25;
  Router router(options, {.layers = 1, .experts = 64, .top_k = 8}, 1);
  ExpertCounts counts;
  double idle = 0;
  for (int s = 0; s < 100; ++s) {
    router.counts({.tokens = 5000}, counts);
    CHECK(std::accumulate(counts.begin(), counts.end(), 0) == 40000);
    idle += static_cast<double>(std::count(counts.begin(), counts.end(), 0)) / (100 * 64);
  }
  CHECK(idle == Approx(0.25).epsilon(0.1));
}

TEST_CASE("a capacity limit conserves assignments: computed = routed - dropped + padded") {
  for (const char* overflow : {"none", "drop", "reroute", "pad"}) {
    RouterOptions options = with_skew("deepseek-v3");
    options.capacity_factor = 1.0;
    options.overflow = overflow;
    Router router(options, kDeepSeekV3, 1);
    ExpertCounts counts;
    router.counts({.tokens = 1000}, counts);
    const OverflowTotals totals = router.limit(1000, counts);
    CHECK(totals.routed == 6L * 8000);
    CHECK(std::accumulate(counts.begin(), counts.end(), 0L) ==
          totals.routed - totals.dropped + totals.padded);
    INFO(overflow);
    CHECK((totals.overflowed > 0) == (std::string_view(overflow) != "none"));
  }
}

TEST_CASE("hashed layers: every expert alike, without taste, noise or groups") {
  RouterOptions options = with_skew("deepseek-v3");
  options.hash_layers = 2;
  options.drift_sigma = 0.3;
  Router router(options, kDeepSeekV3, 1, {"code", "law"});
  router.advance(Seconds{1000});
  ExpertCounts counts;
  double square[3] = {};
  const int steps = 200;
  for (int s = 0; s < steps; ++s) {
    router.counts({.tokens = 32000, .requests = 1}, counts);
    for (std::size_t layer = 0; layer < 3; ++layer) {
      for (std::size_t e = 0; e < 256; ++e) {
        square[layer] += std::pow(counts[layer * 256 + e] - 1000.0, 2) / (256.0 * steps);
      }
    }
  }
  for (std::size_t i = 0; i < 512; ++i) CHECK(router.inclusion()[i] == Approx(8.0 / 256));
  // Var N = T pi (1 - pi)
  CHECK(square[0] == Approx(1000 * (1 - 8.0 / 256)).epsilon(0.05));
  CHECK(square[1] == Approx(1000 * (1 - 8.0 / 256)).epsilon(0.05));
  CHECK(square[2] > 100 * square[1]);
  bool five_groups = false;
  const TokenSample& sample = router.sample(0);
  for (int t = 0; t < sample.tokens && !five_groups; ++t) {
    std::set<int> groups;
    for (const int e : sample.of(t)) groups.insert(e / 32);
    five_groups = groups.size() > 4;
  }
  CHECK(five_groups);
}

// Var of log share = step jitter^2 + request spread^2 / requests (+ what T tokens add: 1 / (T
// pi)).
TEST_CASE("the fewer requests a step's tokens come from, the more its loads vary") {
  RouterOptions options = with_skew("balanced");
  options.request_sigma = 0.3;
  options.step_jitter = 0.05;
  const int steps = 400;
  const int tokens = 4'000'000;
  for (const int requests : {1, 4, 100}) {
    Router router(options, kDeepSeekV3, 1);
    ExpertCounts counts;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < steps; ++i) {
      router.counts({.tokens = tokens, .requests = requests}, counts);
      for (const int n : counts) {
        const double x = std::log(n / (tokens * 8.0 / 256));
        sum += x;
        squares += x * x;
      }
    }
    const double n = steps * static_cast<double>(counts.size());
    const double variance = squares / n - sum / n * (sum / n);
    const double expected = 0.05 * 0.05 + 0.3 * 0.3 / requests + 256.0 / 8 / tokens;
    INFO(requests << " requests: " << variance << " against " << expected);
    CHECK(variance == Approx(expected).epsilon(0.1));
  }
}
