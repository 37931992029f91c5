// Routers whose skew has been published, and stress cases.
#pragma once

#include <span>
#include <string_view>

#include "sim/router/options.hpp"

namespace moesim {

// How the spread of log popularity varies over the layers, and its shape within one.
enum class SkewShape {
  lognormal,  // the same sigma in every layer
  u_shaped,   // first and last layers are the most uneven
  zipf,       // popularity of the i-th expert ~ 1 / i^sigma
};

struct RouterPreset {
  std::string_view name;
  std::string_view evidence;  // where the numbers come from, or "assumed"
  SkewShape shape = SkewShape::lognormal;
  double sigma = 0;          // median over layers of std(log load)
  int classes = 1;           // latent token classes
  double class_sigma = 0;    // std of a class's preference, in log rate
  double domain_sigma = 0;   // of a request domain's
  double request_sigma = 0;  // of a request's
  double drift_sigma = 0;    // stationary std of the AR(1) drift
  double step_jitter = 0;    // std of the noise per step
  double hot_fraction = 0;   // of the experts, the most popular ones...
  double hot_factor = 1;     // ... whose load is multiplied by this
  double dead_fraction = 0;  // of the experts, the least popular ones, never chosen

  friend bool operator==(const RouterPreset&, const RouterPreset&) = default;
};

std::span<const RouterPreset> router_presets();

// The preset or sigma that `options.skew` names, with the options' own values on top; a file
// stands for what is not in it, drift and noise of none. Throws InputError on an unknown name
// or a value out of range. Files are not read here.
RouterPreset resolve_router(const RouterOptions& options);

}  // namespace moesim
