// Expert e on GPU e mod gpus: neighbours, which often share a router group, spread out.
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

Placement round_robin(const PlacementProblem& p, const PlacementOptions&) {
  std::vector<int> map;
  map.reserve(static_cast<std::size_t>(p.layers) * static_cast<std::size_t>(p.slots));
  for (int l = 0; l < p.layers; ++l) {
    for (int g = 0; g < p.gpus; ++g) {
      for (int i = 0; i < p.slots_per_gpu(); ++i) {
        const int turn = i * p.gpus + g;  // later rounds of all experts start one GPU on
        map.push_back((turn + turn / p.experts) % p.experts);
      }
    }
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
