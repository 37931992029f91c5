// When a new placement is made, and how the experts get there.
#pragma once

#include <vector>

#include "sim/base/units.hpp"
#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"

namespace moesim {

// Whether to rebalance after `step` steps since the last time, at this balancedness.
bool rebalance_due(const RebalanceOptions& options, int step, double balancedness);

// One expert's weights on their way to a GPU that lacks them.
struct MigrationCopy {
  int layer = 0;
  int expert = 0;
  int from = 0;  // GPU that has it in the old placement; the receiver itself if from its host
  int to = 0;

  friend bool operator==(const MigrationCopy&, const MigrationCopy&) = default;
};

// Copies that run together; when they are complete the layers switch to the new placement.
struct MigrationStage {
  std::vector<int> layers;
  std::vector<MigrationCopy> copies;
  int steps = 1;        // over how many steps the copies are spread
  bool stalls = false;  // serving waits for it
};

// The stages from `before` to `next`, to be done one after the other:
//   bulk       one stage of all layers that serving waits for
//   async      one stage of all layers beside serving
//   layerwise  as many layers per stage as keep every GPU within budget_per_step of received
//              bytes; a layer beyond the budget is spread over several steps
// `source` network: from the nearest GPU that has the expert (own node first, then the fewest
// copies already asked of it, then the lowest); host: from the receiver's own host memory.
std::vector<MigrationStage> migration_stages(const RebalanceOptions& options,
                                             const Placement& before, const Placement& next,
                                             Bytes expert_bytes);

// `before` with some layers as in `next`: what is in force between stages.
Placement with_layers(const Placement& before, const Placement& next,
                      const std::vector<int>& layers);

}  // namespace moesim
