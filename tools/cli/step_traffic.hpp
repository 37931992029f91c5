// What the links carry when every instance of a scenario takes one step.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/scenario.hpp"
#include "topology/cluster.hpp"

namespace moesim {

struct StepTraffic {
  std::string what;           // which traffic this is, in a sentence; empty: there is none
  std::vector<double> bytes;  // [links]
};

// Dispatch and combine of all MoE layers of one full step per instance, under the scenario's
// router, placement, dispatch policy and transport: prompts of max_tokens_per_step tokens per
// attention rank in a prefill pool, else max_batch decodes per attention rank.
StepTraffic step_traffic(const Scenario& scenario, const Cluster& cluster);

}  // namespace moesim
