// EPLB with the redundant slots of all layers given to those that gain most. The same rule
// wraps any other strategy through placement.budget = "layers".
#include "sim/placement/strategies/strategies.hpp"
#include "sim/placement/strategy.hpp"

namespace moesim::strategies {

Placement layer_budget(const PlacementProblem& p, const PlacementOptions& options) {
  PlacementOptions inner = options;
  inner.strategy = "eplb";
  return place_by_need(p, inner);
}

}  // namespace moesim::strategies
