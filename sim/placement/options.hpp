// The [placement] section.
#pragma once

#include <string>

#include "sim/base/units.hpp"

namespace moesim {

struct RebalanceOptions {
  int every_steps = 0;                  // 0: never
  double below_balancedness = 0;        // rebalance when it falls below; 0: never
  std::string migration = "layerwise";  // bulk, async, layerwise
  Bytes budget_per_step{256e6};         // layerwise: at most this per GPU and step
  std::string source = "network";       // network, host

  friend bool operator==(const RebalanceOptions&, const RebalanceOptions&) = default;
};

struct PlacementOptions {
  std::string strategy = "eplb";
  int redundant_experts = 0;         // extra slots per layer over the whole EP group
  std::string budget = "uniform";    // uniform, layers (spread over layers by need)
  std::string dispatch = "nearest";  // which replica a token takes
  bool no_same_gpu_duplicates = false;
  std::string file{};           // strategy = "file": the map to load
  std::string program{};        // strategy = "external": the program to run
  Seconds program_limit{60};    // and how long it may take
  int training_tokens = 65536;  // past tokens per layer a placement is computed from
  RebalanceOptions rebalance{};

  friend bool operator==(const PlacementOptions&, const PlacementOptions&) = default;
};

}  // namespace moesim
