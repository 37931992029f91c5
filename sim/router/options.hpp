// The [router] section: how uneven the routing is, and what happens on overflow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

struct RouterOptions {
  // A preset's name ("deepseek-v3"), a number (the lognormal sigma of every layer; 0 is a
  // balanced router), or the path of a router or trace file.
  std::string skew = "deepseek-v3";
  // What the preset sets; a negative value means "as the preset says".
  double sigma = -1;              // median over layers of the std of log expert popularity
  double class_sigma = -1;        // spread of the latent token classes' preferences
  int classes = 0;                // latent token classes; 0: as the preset says
  double domain_sigma = -1;       // spread between request domains
  double request_sigma = -1;      // spread between requests
  double drift_sigma = -1;        // stationary std of the AR(1) drift
  Seconds drift_time{600};        // its correlation time
  double step_jitter = -1;        // std of the per-step noise
  double hot_fraction = -1;       // of each layer's experts: a hot set...
  double hot_factor = -1;         // ... whose load is multiplied by this
  double dead_fraction = -1;      // of each layer's experts, never chosen
  double capacity_factor = 0;     // 0: no capacity limit
  std::string overflow = "none";  // none, drop, reroute, pad
  int top_k = 0;                  // 0: the model's
  double balance_pressure = 0;    // 0..1: flattens the router toward uniform
  bool exact = false;             // sample every token instead of fast counts

  friend bool operator==(const RouterOptions&, const RouterOptions&) = default;
};

}  // namespace moesim
