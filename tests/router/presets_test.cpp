// The presets against the statistics that were published for these models.
#include "sim/router/presets.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/router/load_metrics.hpp"
#include "sim/router/router.hpp"

using namespace moesim;

namespace {

const RouterShape kV3{
    .layers = 58, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4};
const RouterShape kV4Flash{.layers = 43, .experts = 256, .top_k = 6};

Router router_of(const char* skew, const RouterShape& shape,
                 std::vector<std::string> domains = {}) {
  RouterOptions options;
  options.skew = skew;
  return {options, shape, 1, std::move(domains)};
}

double quantile(std::vector<double> x, double q) {
  std::sort(x.begin(), x.end());
  return x[static_cast<std::size_t>(q * static_cast<double>(x.size() - 1) + 0.5)];
}

// (max - mean) / mean over ranks of neighbouring experts.
double rank_imbalance(std::span<const double> load, std::size_t ranks) {
  const std::size_t size = load.size() / ranks;
  double most = 0;
  for (std::size_t e = 0; e < load.size(); e += size) {
    const auto part = load.subspan(e, size);
    most = std::max(most, std::accumulate(part.begin(), part.end(), 0.0));
  }
  return most * static_cast<double>(ranks) / std::accumulate(load.begin(), load.end(), 0.0) - 1;
}

// Replicate the most loaded expert until the slots are used, then put the heaviest replica on
// the lightest rank with room: placed by `past`, judged by `load`.
double imbalance_after_eplb(std::span<const double> past, std::span<const double> load,
                            std::size_t slots, std::size_t ranks) {
  std::vector<double> replicas(past.size(), 1);
  for (std::size_t s = past.size(); s < slots; ++s) {
    std::size_t heaviest = 0;
    for (std::size_t e = 1; e < past.size(); ++e) {
      if (past[e] / replicas[e] > past[heaviest] / replicas[heaviest]) heaviest = e;
    }
    ++replicas[heaviest];
  }
  std::vector<std::pair<double, std::size_t>> items;
  for (std::size_t e = 0; e < past.size(); ++e) {
    for (int i = 0; i < replicas[e]; ++i) items.emplace_back(past[e] / replicas[e], e);
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<double> expected(ranks);
  std::vector<double> actual(ranks);
  std::vector<std::size_t> used(ranks);
  for (const auto& [weight, e] : items) {
    std::size_t lightest = ranks;
    for (std::size_t r = 0; r < ranks; ++r) {
      if (used[r] == slots / ranks) continue;
      if (lightest == ranks || expected[r] < expected[lightest]) lightest = r;
    }
    ++used[lightest];
    expected[lightest] += weight;
    actual[lightest] += load[e] / replicas[e];
  }
  return rank_imbalance(actual, ranks);
}

}  // namespace

// Source: measured expert loads of DeepSeek-V3 as collected for this project's design
// ("Tokens to experts").
TEST_CASE("deepseek-v3: max/mean per layer has median 6.1 and p90 11; top 32 of 256 take .31") {
  Router router = router_of("deepseek-v3", kV3);
  ExpertCounts counts;
  router.counts({.tokens = 100000}, counts);
  std::vector<double> most;
  std::vector<double> top;
  for (std::size_t l = 0; l < 58; ++l) {
    const auto row = std::span<const int>(counts).subspan(l * 256, 256);
    most.push_back(measure_load(row).max_over_mean);
    top.push_back(top_share(row, 32));
  }
  CHECK(quantile(most, 0.5) == Approx(6.1).epsilon(0.10));
  CHECK(quantile(most, 0.9) == Approx(11).epsilon(0.15));
  CHECK(quantile(top, 0.5) == Approx(0.31).epsilon(0.05));
}

// Source: as above; U-shaped over depth.
TEST_CASE(
    "deepseek-v3: sigma is .43 to 1.35 over the layers with median .67, largest at the "
    "ends") {
  const Router router = router_of("deepseek-v3", kV3);
  std::vector<double> sigma;
  for (std::size_t l = 0; l < 58; ++l) {
    double sum = 0;
    double square = 0;
    for (const float pi : router.inclusion().subspan(l * 256, 256)) {
      sum += std::log(pi);
      square += std::log(pi) * std::log(pi);
    }
    sigma.push_back(std::sqrt(square / 256 - sum * sum / 256 / 256));
  }
  CHECK(quantile(sigma, 0.5) == Approx(0.67).epsilon(0.06));
  CHECK(quantile(sigma, 0) == Approx(0.43).epsilon(0.12));
  CHECK(quantile(sigma, 1) == Approx(1.35).epsilon(0.12));
  CHECK(std::max(sigma.front(), sigma.back()) == quantile(sigma, 1));
}

// Source: as above.
TEST_CASE("deepseek-v3: domains differ by a total variation of .13 to .24") {
  Router router = router_of("deepseek-v3", kV3, {"code", "law"});
  const std::vector<double> code{1, 0};
  const std::vector<double> law{0, 1};
  ExpertCounts counts;
  router.counts({.tokens = 1, .share = code}, counts);
  const std::vector<float> first(router.inclusion().begin(), router.inclusion().end());
  router.counts({.tokens = 1, .share = law}, counts);
  double apart = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    apart += std::abs(first[i] - router.inclusion()[i]) / (2 * 8.0 * 58);
  }
  CHECK(apart > 0.13);
  CHECK(apart < 0.24);
}

// Source: measured loads of DeepSeek-V4-Flash, as above.
TEST_CASE("deepseek-v4-flash: top 8/16/32/64 of 256 experts take .20/.32/.46/.64") {
  Router router = router_of("deepseek-v4-flash", kV4Flash);
  ExpertCounts counts;
  router.counts({.tokens = 100000}, counts);
  const std::pair<int, double> published[] = {{8, 0.20}, {16, 0.32}, {32, 0.46}, {64, 0.64}};
  for (const auto& [top, share] : published) {
    double mean = 0;
    for (std::size_t l = 0; l < 43; ++l) {
      mean += top_share(std::span<const int>(counts).subspan(l * 256, 256), top) / 43;
    }
    INFO("top " << top);
    CHECK(mean == Approx(share).epsilon(0.05));
  }
}

// Source: published for machine translation (one domain) on 32 ranks. The step's size is not
// published; 4,096 tokens is assumed, and it matters only after EPLB.
TEST_CASE(
    "deepseek-v4-flash: 32 ranks are 1.56 apart for one domain, .115 after EPLB to 288 "
    "slots") {
  Router router = router_of("deepseek-v4-flash", kV4Flash, {"machine-translation"});
  ExpertCounts counts;
  double before = 0;
  double after = 0;
  for (int step = 0; step < 20; ++step) {
    router.counts({.tokens = 4096}, counts);
    for (std::size_t l = 0; l < 43; ++l) {
      const std::vector<double> load(counts.begin() + static_cast<long>(l) * 256,
                                     counts.begin() + static_cast<long>(l) * 256 + 256);
      const auto expected = router.inclusion().subspan(l * 256, 256);
      const std::vector<double> past(expected.begin(), expected.end());
      before += rank_imbalance(load, 32) / (43 * 20);
      after += imbalance_after_eplb(past, load, 288, 32) / (43 * 20);
    }
  }
  CHECK(before == Approx(1.56).epsilon(0.10));
  CHECK(after == Approx(0.115).epsilon(0.15));
}

TEST_CASE("balanced: every expert equally likely; sigma 0 is the same router") {
  for (const char* skew : {"balanced", "0"}) {
    const Router router = router_of(skew, kV4Flash);
    for (const float pi : router.inclusion()) CHECK(pi == Approx(6.0 / 256).epsilon(1e-4));
  }
}

TEST_CASE("zipf: the most popular expert takes 1 / H_n of the tokens") {
  const Router router = router_of("zipf", {.layers = 1, .experts = 64, .top_k = 1});
  double harmonic = 0;
  for (int i = 1; i <= 64; ++i) harmonic += 1.0 / i;
  const auto pi = router.inclusion();
  CHECK(*std::max_element(pi.begin(), pi.end()) == Approx(1 / harmonic).epsilon(0.02));
}

TEST_CASE("collapse: one expert in 32 takes most; dead: one in eight is never chosen") {
  const Router collapse = router_of("collapse", {.layers = 1, .experts = 64, .top_k = 1});
  const std::vector<double> pi(collapse.inclusion().begin(), collapse.inclusion().end());
  CHECK(top_share(std::span<const double>(pi), 2) > 0.8);
  Router dead = router_of("dead", kV4Flash);
  ExpertCounts counts;
  dead.counts({.tokens = 100000}, counts);
  CHECK(measure_load(std::span<const int>(counts).first(256)).active == 256 - 32);
}

TEST_CASE("balance pressure flattens the router; at 1 it is uniform") {
  double last = 100;
  for (const double pressure : {0.0, 0.3, 0.7, 1.0}) {
    RouterOptions options;
    options.skew = "qwen3";
    options.balance_pressure = pressure;
    const Router router(options, {.layers = 4, .experts = 128, .top_k = 8}, 1);
    const std::vector<double> pi(router.inclusion().begin(), router.inclusion().begin() + 128);
    const double now = measure_load(std::span<const double>(pi)).cv;
    CHECK(now < last);
    last = now;
  }
  CHECK(last < 1e-3);
}

TEST_CASE("wrong options are all reported, an unknown router with a hint") {
  RouterOptions options;
  options.skew = "deepsek-v3";
  try {
    (void)resolve_router(options);
    FAIL("accepted");
  } catch (const InputError& e) {
    CHECK(std::string(e.what()).find("did you mean 'deepseek-v3'") != std::string::npos);
  }
  options.skew = "mixtral";
  options.step_jitter = 7;
  options.balance_pressure = 2;
  try {
    (void)resolve_router(options);
    FAIL("accepted");
  } catch (const InputError& e) {
    CHECK(e.diagnostics().size() == 2);
  }
  const RouterShape impossible{.layers = 1, .experts = 8, .top_k = 9};
  CHECK_THROWS_AS(Router({}, impossible, 1), InputError);
}
