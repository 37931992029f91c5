// Experts in order over the slots, as engines place them without a balancer; redundant slots
// start again at expert 0 (SGLang's trivial map: slot s holds expert s mod experts).
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

Placement linear(const PlacementProblem& p, const PlacementOptions&) {
  std::vector<int> map;
  map.reserve(static_cast<std::size_t>(p.layers) * static_cast<std::size_t>(p.slots));
  for (int l = 0; l < p.layers; ++l) {
    for (int s = 0; s < p.slots; ++s) map.push_back(s % p.experts);
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
