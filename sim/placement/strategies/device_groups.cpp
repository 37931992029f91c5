// All experts of a layer on the GPUs of one node, layers taking turns over the nodes: tokens
// travel to one node per layer, and a node serves only its layers. EPLB within the node.
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

Placement device_groups(const PlacementProblem& p, const PlacementOptions& options) {
  std::vector<std::vector<int>> maps;
  std::vector<std::vector<int>> counts;
  const int per_node = p.gpus_per_node();
  for (int l = 0; l < p.layers; ++l) {
    PlacementProblem one;
    one.layers = 1;
    one.experts = p.experts;
    one.slots = p.slots;
    one.gpus = per_node;
    const auto weights = p.layer_weights(l);
    one.weights.assign(weights.begin(), weights.end());
    maps.push_back(eplb_global(one, options).physical_to_logical);
    auto& count = counts.emplace_back(static_cast<std::size_t>(p.gpus), 0);
    const int first = l % p.nodes * per_node;
    for (int g = first; g < first + per_node; ++g) {
      count[static_cast<std::size_t>(g)] = p.slots / per_node;
    }
  }
  return placement_of_layers(p.experts, p.nodes, p.gpus, maps, counts);
}

}  // namespace moesim::strategies
