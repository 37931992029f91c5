#include "sim/router/fit.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/router/fit_report.hpp"
#include "sim/router/router.hpp"

using namespace moesim;

namespace {

const RouterShape kShape{.layers = 4, .experts = 64, .top_k = 4};

RouterOptions known_model() {
  RouterOptions options;
  options.skew = "0.67";
  options.classes = 16;
  options.class_sigma = 0.8;
  return options;
}

// Tokens of a known model, joined over the layers, in an order that says nothing.
TokenTrace tokens_of(const Router& router, int tokens, std::uint64_t seed) {
  const RouterShape& shape = router.shape();
  const auto k = static_cast<std::size_t>(shape.top_k);
  TokenTrace trace{
      .layers = shape.layers, .experts = shape.experts, .top_k = shape.top_k, .joined = true};
  std::vector<std::size_t> order(static_cast<std::size_t>(tokens));
  std::iota(order.begin(), order.end(), std::size_t{0});
  Stream shuffle(seed, "test.order");
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[shuffle.below(i)]);
  for (int layer = 0; layer < shape.layers; ++layer) {
    Stream stream(seed, "test.tokens", static_cast<std::uint64_t>(layer));
    TokenSample sample;
    router.draw_tokens(layer, tokens, stream, sample);
    auto& chosen = trace.chosen.emplace_back();
    for (const std::size_t t : order) {
      auto experts = sample.of(static_cast<int>(t));
      chosen.insert(chosen.end(), experts.begin(), experts.end());
      std::sort(chosen.end() - static_cast<long>(k), chosen.end());
    }
    trace.weight.emplace_back(order.size(), 1.0);
    trace.source.emplace_back(order.size(), 0);
  }
  return trace;
}

}  // namespace

TEST_CASE(
    "a fit recovers a known model: marginals within 2 %, inter-layer mutual information "
    "85 % or more on held-out tokens") {
  const Router known(known_model(), kShape, 11);
  const FittedRouter fit = fit_tokens(tokens_of(known, 30000, 1));
  const FitReport report = judge(fit, tokens_of(known, 100000, 2));
  fmt::print("{} classes found of 16\n{}", fit.classes(), to_text(report));

  CHECK(report.log_likelihood > report.independent);
  CHECK(report.interlayer.fit / report.interlayer.data >= 0.85);
  CHECK(report.interlayer.fit / report.interlayer.data <= 1.15);
  CHECK(report.coactivation.fit / report.coactivation.data == Approx(1).epsilon(0.2));

  // Through the router again: the model's own marginals, not those of a sample.
  const auto path = std::filesystem::temp_directory_path() / "moesim_fit_test.csv";
  write_fit(path, fit);
  RouterOptions options;
  options.skew = path.string();
  const Router fitted(options, kShape, 5);
  double error = 0;
  for (std::size_t i = 0; i < kShape.cells(); ++i) {
    error += std::abs(fitted.inclusion()[i] - known.inclusion()[i]) / (4 * 4);
  }
  fmt::print("marginals of the fitted router are off by {:.2f} %\n", 100 * error);
  CHECK(error < 0.02);
  // Its exact tokens have the known model's mutual information as well.
  const FitReport again = judge(fit, tokens_of(fitted, 100000, 3));
  CHECK(again.interlayer.data / report.interlayer.data >= 0.85);
}

TEST_CASE("a load trace gives its marginals back, and the jitter that it was made with") {
  RouterOptions options = known_model();
  options.step_jitter = 0.12;
  Router known(options, kShape, 3);
  LoadTrace trace{.layers = 4, .experts = 64, .steps = {}, .counts = {}};
  for (long step = 0; step < 200; ++step) {
    trace.steps.push_back(step);
    known.counts({.tokens = 5000}, trace.counts.emplace_back());
  }
  const FittedRouter fit = fit_loads(trace, 4);
  CHECK(fit.step_jitter == Approx(0.12).epsilon(0.05));
  double error = 0;
  for (std::size_t i = 0; i < kShape.cells(); ++i) {
    error += std::abs(fit.pi[i] - static_cast<double>(known.inclusion()[i])) / (4 * 4);
  }
  CHECK(error < 0.02);

  const auto path = std::filesystem::temp_directory_path() / "moesim_fit_test_load.csv";
  write_load_trace(path, trace);
  RouterOptions from_trace;
  from_trace.skew = path.string();
  const Router fitted(from_trace, kShape, 1);
  for (std::size_t i = 0; i < kShape.cells(); ++i) {
    CHECK(fitted.inclusion()[i] == Approx(fit.pi[i]).epsilon(0.01).margin(1e-4));
  }
}

TEST_CASE("limited groups: a fitted router has the trace's marginals in its exact tokens too") {
  const RouterShape shape{
      .layers = 2, .experts = 64, .top_k = 4, .expert_groups = 8, .top_groups = 4};
  const Router known(known_model(), shape, 11);
  const TokenTrace trace = tokens_of(known, 20000, 1);
  const auto path = std::filesystem::temp_directory_path() / "moesim_fit_test_groups.csv";
  write_fit(path, fit_tokens(trace, {.classes = 16}));
  RouterOptions options;
  options.skew = path.string();
  const Router fitted(options, shape, 5);
  const auto again = inclusion_of(tokens_of(fitted, 100000, 2));
  double error = 0;
  for (std::size_t i = 0; i < again.size(); ++i) {
    error += std::abs(again[i] - static_cast<double>(known.inclusion()[i])) / (2 * 4);
  }
  CHECK(error < 0.03);
}

TEST_CASE("tokens that are not joined give marginals only") {
  const Router known(known_model(), kShape, 11);
  TokenTrace trace = tokens_of(known, 2000, 1);
  trace.joined = false;
  const FittedRouter fit = fit_tokens(trace);
  CHECK(fit.classes() == 1);
  CHECK(std::isnan(judge(fit, trace).log_likelihood));
  CHECK(judge(fit, trace).marginal_error == Approx(0).margin(1e-12));
}

TEST_CASE("a trace of another model is refused") {
  const auto path = std::filesystem::temp_directory_path() / "moesim_fit_test_other.csv";
  write_file(path, "step,layer,expert,count\n0,0,70,4\n");
  RouterOptions options;
  options.skew = path.string();
  CHECK_THROWS_AS(Router(options, kShape, 1), InputError);
}
