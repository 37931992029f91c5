#include "sim/router/presets.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

namespace {

constexpr std::array<RouterPreset, 9> kPresets{{
    {"deepseek-v3",
     "per-layer load lognormal, sigma median .67, U-shaped over depth .43-1.35; domains differ "
     "by total variation .13-.24; step jitter .10",
     SkewShape::u_shaped, .67, 32, .8, .33, .3, 0, .10},
    {"deepseek-v4-flash",
     "sigma 1.05: top 8/16/32/64 of 256 experts take .20/.32/.46/.64 of the tokens",
     SkewShape::lognormal, 1.05, 32, .8, .33, .3, 0, .10},
    {"mixtral", "sigma .3-.5 over 8 experts; other terms assumed as deepseek-v3",
     SkewShape::lognormal, .4, 16, .4, .2, .2, 0, .10},
    {"qwen3", "assumed: as deepseek-v3, without the rise at both ends", SkewShape::lognormal,
     .67, 32, .8, .33, .3, 0, .10},
    {"llama4", "assumed: top-1 of 16 or 128 experts, as mixtral", SkewShape::lognormal, .45, 16,
     .4, .2, .2, 0, .10},
    {"balanced", "every expert equally likely: a lower bound on trouble", SkewShape::lognormal},
    {"zipf", "stress: load of the i-th expert ~ 1/i; no measured router looks like this",
     SkewShape::zipf, 1, 1, 0, 0, 0, 0, .10},
    {"collapse", "stress: one expert in 32 takes nine tokens in ten", SkewShape::collapse, .3,
     1, 0, 0, 0, 0, .10},
    {"dead", "stress: one expert in eight is never chosen", SkewShape::dead, .67, 32, .8, .33,
     .3, 0, .10},
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
  std::vector<std::string> names;
  for (const RouterPreset& preset : kPresets) {
    if (preset.name == skew) return preset;
    names.emplace_back(preset.name);
  }
  throw InputError(fmt::format("unknown router '{}'", skew),
                   fmt::format("a sigma, a file, or one of {}", fmt::join(names, ", ")),
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
  within("classes", preset.classes, 1, 1024);
  within("balance_pressure", options.balance_pressure, 0, 1);
  faults.throw_if_errors();
  return preset;
}

}  // namespace moesim
