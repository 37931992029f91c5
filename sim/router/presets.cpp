#include "sim/router/presets.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"
#include "sim/router/trace_file.hpp"

namespace moesim {

namespace {

// Measured on DeepSeek-V3 and taken over, for want of better, by presets that say "assumed".
constexpr RouterPreset kDeepSeekV3{
    .name = "deepseek-v3",
    .evidence =
        "measured load per layer: lognormal, sigma median .67, U-shaped over depth "
        ".43-1.35; max/mean median 6.1, p90 11; top 32 of 256 experts take .31; domains "
        "differ by total variation .13-.24; step jitter about .10. Classes: assumed",
    .shape = SkewShape::u_shaped,
    .sigma = 0.67,
    .classes = 32,
    .class_sigma = 0.8,
    .domain_sigma = 0.33,
    .request_sigma = 0.3,
    .step_jitter = 0.10,
    .hot_fraction = 1.0 / 256,
    .hot_factor = 1.27};

constexpr RouterPreset flat(std::string_view name, std::string_view evidence, double sigma) {
  RouterPreset preset = kDeepSeekV3;
  preset.name = name;
  preset.evidence = evidence;
  preset.shape = SkewShape::lognormal;
  preset.sigma = sigma;
  preset.hot_fraction = 0;
  preset.hot_factor = 1;
  return preset;
}

constexpr RouterPreset few_experts(std::string_view name, std::string_view evidence,
                                   double sigma) {
  RouterPreset preset = flat(name, evidence, sigma);
  preset.classes = 16;
  preset.class_sigma = 0.4;
  preset.domain_sigma = 0.2;
  preset.request_sigma = 0.2;
  return preset;
}

constexpr RouterPreset dead_router() {
  RouterPreset preset =
      flat("dead", "stress: as qwen3, and one expert in eight is never chosen", 0.67);
  preset.dead_fraction = 1.0 / 8;
  return preset;
}

constexpr std::array<RouterPreset, 9> kPresets{{
    kDeepSeekV3,
    flat("deepseek-v4-flash",
         "measured: sigma 1.05; top 8/16/32/64 of 256 experts take .20/.32/.46/.64; 32 ranks "
         "are (max - mean)/mean = 1.56 apart, .115 after EPLB to 288 slots. Other terms: as "
         "deepseek-v3",
         1.05),
    few_experts("mixtral", "measured: sigma .3-.5 over 8 experts. Other terms: assumed", 0.4),
    flat("qwen3", "assumed: as deepseek-v3, even over depth", 0.67),
    few_experts("llama4", "assumed: top-1 routing, as mixtral", 0.45),
    {.name = "balanced", .evidence = "none needed: every expert equally likely"},
    {.name = "zipf",
     .evidence = "stress: load of the i-th expert ~ 1/i; no measured router looks like this",
     .shape = SkewShape::zipf,
     .sigma = 1,
     .step_jitter = 0.10},
    {.name = "collapse",
     .evidence = "stress: one expert in 32 takes most of the tokens",
     .sigma = 0.3,
     .step_jitter = 0.10,
     .hot_fraction = 1.0 / 32,
     .hot_factor = 200},
    dead_router(),
}};

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return value;
}

RouterPreset named(const std::string& skew) {
  if (const auto sigma = as_number(skew)) {
    RouterPreset flat{.name = "sigma", .evidence = "the scenario's own sigma"};
    flat.sigma = *sigma;
    return flat;
  }
  if (names_a_file(skew)) return {.name = "file", .evidence = "fitted to a trace"};
  std::vector<std::string> names;
  for (const RouterPreset& preset : kPresets) {
    if (preset.name == skew) return preset;
    names.emplace_back(preset.name);
  }
  throw InputError(
      fmt::format("unknown router '{}'", skew),
      fmt::format("a sigma, a .csv or .jsonl file, or one of {}", fmt::join(names, ", ")),
      did_you_mean(skew, names));
}

}  // namespace

std::span<const RouterPreset> router_presets() { return kPresets; }

RouterPreset resolve_router(const RouterOptions& options) {
  RouterPreset preset = named(options.skew);
  const auto take = [](double option, double& value) {
    if (option >= 0) value = option;
  };
  take(options.sigma, preset.sigma);
  take(options.class_sigma, preset.class_sigma);
  take(options.domain_sigma, preset.domain_sigma);
  take(options.request_sigma, preset.request_sigma);
  take(options.drift_sigma, preset.drift_sigma);
  take(options.step_jitter, preset.step_jitter);
  take(options.hot_fraction, preset.hot_fraction);
  take(options.hot_factor, preset.hot_factor);
  take(options.dead_fraction, preset.dead_fraction);
  if (options.classes > 0) preset.classes = options.classes;

  Diagnostics faults;
  const auto within = [&faults](const char* key, double value, double low, double high) {
    if (value >= low && value <= high) return;
    faults.error({}, fmt::format("router.{} is {}", key, value),
                 fmt::format("between {} and {}", low, high));
  };
  within("sigma", preset.sigma, 0, 5);
  within("class_sigma", preset.class_sigma, 0, 5);
  within("domain_sigma", preset.domain_sigma, 0, 5);
  within("request_sigma", preset.request_sigma, 0, 5);
  within("drift_sigma", preset.drift_sigma, 0, 5);
  within("step_jitter", preset.step_jitter, 0, 1);
  within("hot_fraction", preset.hot_fraction, 0, 1);
  within("hot_factor", preset.hot_factor, 0, 1e6);
  within("dead_fraction", preset.dead_fraction, 0, 0.9);
  within("classes", preset.classes, 1, 1024);
  within("expert_dropout", options.expert_dropout, 0, 0.9);
  within("balance_pressure", options.balance_pressure, 0, 1);
  faults.throw_if_errors();
  return preset;
}

}  // namespace moesim
