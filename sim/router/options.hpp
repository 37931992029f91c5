// The [router] section: how uneven the routing is, and what happens on overflow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

// Something that happens to the router: one [[router.event]].
struct RouterEventOptions {
  Seconds at{0};
  // collapse: the most popular `experts` of a layer come to take `share` of its tokens'
  // choices,
  //   little by little over `steps`.
  // new_expert: `expert` is not there before `at`; for `steps` steps `share` of the tokens are
  //   forced through it, then it has the popularity of its own.
  // prune: `expert` is never chosen again.
  // merge: `expert` takes over what `other` would get.
  // reinitialise: `expert` starts again with the layer's median popularity.
  std::string kind;
  int layer = -1;  // MoE layer, from 0; -1: all
  int expert = 0;
  int other = 0;
  int experts = 1;
  double share = 0.2;
  int steps = 1000;

  friend bool operator==(const RouterEventOptions&, const RouterEventOptions&) = default;
};

// When the result warns. Of a layer in a window of the run, but for the last three.
struct RouterAlertOptions {
  double hottest_load = 20;       // tokens of one expert over the mean: more
  double dead_experts = 0.1;      // share of the experts with under 5 % of the mean: more
  double entropy = 0.7;           // of the loads, over log(experts): less
  double balancedness = 0.35;     // of the whole run, mean over max tokens of the GPUs: less
  double overflow_rate = 0.05;    // of the whole run, choices over capacity: more
  double router_mass_lost = 0.1;  // of the whole run, choices displaced or dropped: more

  friend bool operator==(const RouterAlertOptions&, const RouterAlertOptions&) = default;
};

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
  int hash_layers = 0;            // the first MoE layers that route by a hash of the token id
  double balance_pressure = 0;    // 0..1: flattens the router toward uniform
  double expert_dropout = 0;      // what if: fraction of the experts out of reach, per step
  bool exact = false;             // sample every token instead of fast counts
  bool replay = false;            // skew is a trace: its own steps instead of drawn ones
  RouterAlertOptions alert;
  std::vector<RouterEventOptions> events;

  friend bool operator==(const RouterOptions&, const RouterOptions&) = default;
};

}  // namespace moesim
