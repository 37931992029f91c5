// Counts without per-token work, against exact top-k of a million tokens.
#include <fmt/format.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "sim/router/router.hpp"

using namespace moesim;

namespace {

struct Case {
  int layers, experts, top_k, groups, top_groups;
  double sigma, class_sigma;
  int tokens;  // per step
  int gpus;
};

struct Figures {
  double marginal_error = 0;  // mean over experts of |pi / exact - 1|
  double variance_error = 0;  // mean over experts of Var / (T pi (1 - pi)) - 1
  double busiest_error = 0;   // of the busiest GPU's mean load
  double active_error = 0;    // of the mean number of experts with a token
};

struct StepStatistics {
  double busiest = 0;
  double active = 0;

  void add(std::span<const int> counts, int gpus, double weight) {
    const std::size_t per_gpu = counts.size() / static_cast<std::size_t>(gpus);
    int most = 0;
    for (std::size_t e = 0; e < counts.size(); e += per_gpu) {
      const auto part = counts.subspan(e, per_gpu);
      most = std::max(most, std::accumulate(part.begin(), part.end(), 0));
    }
    busiest += weight * most;
    active += weight * static_cast<double>(std::count_if(counts.begin(), counts.end(),
                                                         [](int n) { return n > 0; }));
  }
};

// A million exact tokens in a random order, cut into steps.
void exact_steps(const Router& router, const Case& c, int layer, std::vector<double>& pi,
                 StepStatistics& statistics) {
  const int tokens = 1000000;
  TokenSample sample;
  Stream stream(5, "test.exact", static_cast<std::uint64_t>(layer));
  router.draw_tokens(layer, tokens, stream, sample);
  std::vector<int> order(static_cast<std::size_t>(tokens));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[stream.below(i)]);
  const int steps = tokens / c.tokens;
  std::vector<int> counts(pi.size());
  for (int s = 0; s < steps; ++s) {
    std::fill(counts.begin(), counts.end(), 0);
    for (int t = s * c.tokens; t < (s + 1) * c.tokens; ++t) {
      for (const int e : sample.of(order[static_cast<std::size_t>(t)])) {
        ++counts[static_cast<std::size_t>(e)];
      }
    }
    for (std::size_t e = 0; e < pi.size(); ++e) {
      pi[e] += counts[e] / (static_cast<double>(c.tokens) * steps);
    }
    statistics.add(counts, c.gpus, 1.0 / (steps * c.layers));
  }
}

Figures compare(const Case& c) {
  RouterOptions options;
  options.skew = fmt::format("{}", c.sigma);
  options.class_sigma = c.class_sigma;
  options.classes = 32;
  const RouterShape shape{.layers = c.layers,
                          .experts = c.experts,
                          .top_k = c.top_k,
                          .expert_groups = c.groups,
                          .top_groups = c.top_groups};
  Router router(options, shape, 7);
  const auto n = static_cast<std::size_t>(c.experts);
  StepStatistics exact;
  std::vector<std::vector<double>> pi(static_cast<std::size_t>(c.layers),
                                      std::vector<double>(n));
  for (int layer = 0; layer < c.layers; ++layer) {
    exact_steps(router, c, layer, pi[static_cast<std::size_t>(layer)], exact);
  }
  constexpr int kSteps = 4000;
  StepStatistics fast;
  std::vector<double> mean(shape.cells());
  std::vector<double> square(shape.cells());
  ExpertCounts counts;
  for (int s = 0; s < kSteps; ++s) {
    router.counts({.tokens = c.tokens}, counts);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      mean[i] += static_cast<double>(counts[i]) / kSteps;
      square[i] += static_cast<double>(counts[i]) * counts[i] / kSteps;
    }
    for (std::size_t begin = 0; begin < counts.size(); begin += n) {
      fast.add(std::span(counts).subspan(begin, n), c.gpus, 1.0 / (kSteps * c.layers));
    }
  }
  Figures f;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double p = pi[i / n][i % n];
    const double cells = static_cast<double>(mean.size());
    f.marginal_error += std::abs(mean[i] / c.tokens / p - 1) / cells;
    f.variance_error +=
        ((square[i] - mean[i] * mean[i]) / (c.tokens * p * (1 - p)) - 1) / cells;
  }
  f.busiest_error = fast.busiest / exact.busiest - 1;
  f.active_error = fast.active / exact.active - 1;
  return f;
}

}  // namespace

TEST_CASE(
    "counts agree with a million exact tokens: marginals 3 %, variance 5 %, busiest GPU "
    "1 %, active experts 1.5 %") {
  const Case cases[] = {
      {1, 8, 2, 1, 1, 0.4, 0.4, 64, 8},     {1, 16, 1, 1, 1, 0.5, 0, 1000, 8},
      {1, 16, 4, 1, 1, 0.7, 0.4, 256, 8},   {1, 32, 4, 1, 1, 0.7, 0, 512, 8},
      {1, 64, 6, 1, 1, 0.7, 0.8, 100, 16},  {1, 128, 8, 1, 1, 1.0, 0.8, 1000, 32},
      {1, 256, 8, 1, 1, 0.67, 0.8, 32, 32}, {1, 256, 6, 1, 1, 1.05, 0.8, 4000, 32},
      {1, 512, 22, 1, 1, 0.67, 0, 500, 64}, {4, 256, 8, 8, 4, 0.67, 0.8, 100, 32},
      {4, 256, 8, 8, 4, 1.05, 0, 1000, 64}, {4, 160, 6, 8, 3, 0.7, 0.8, 1000, 8},
  };
  for (const Case& c : cases) {
    const Figures f = compare(c);
    const std::string name = fmt::format(
        "{} experts, top {}, {} of {} groups, sigma {}, {} tokens: marginals {:.2f} %, "
        "variance "
        "{:+.2f} %, busiest of {} GPUs {:+.2f} %, active {:+.2f} %",
        c.experts, c.top_k, c.top_groups, c.groups, c.sigma, c.tokens, 100 * f.marginal_error,
        100 * f.variance_error, c.gpus, 100 * f.busiest_error, 100 * f.active_error);
    fmt::print("{}\n", name);
    INFO(name);
    CHECK(f.marginal_error < 0.03);
    CHECK(std::abs(f.variance_error) < 0.05);
    CHECK(std::abs(f.busiest_error) < 0.01);
    CHECK(std::abs(f.active_error) < 0.015);
  }
}
