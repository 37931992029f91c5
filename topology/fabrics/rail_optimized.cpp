#include "topology/fabrics/clos.hpp"
#include "topology/fabrics/fabrics.hpp"

namespace moesim {

// Leaf (pod, rail) holds NIC `rail` of the pod's nodes; spines join the leaves.
std::unique_ptr<Fabric> make_rail_optimized(const ClusterOptions& options, Graph& graph,
                                            std::span<Nic> nics) {
  int rails = 0;
  for (const Nic& nic : nics) rails = std::max(rails, nic.rail + 1);
  std::vector<int> leaf_of;
  for (const Nic& nic : nics) {
    const int pod = options.nodes_per_leaf > 0 ? nic.node.value / options.nodes_per_leaf : 0;
    leaf_of.push_back(pod * rails + nic.rail);
  }
  return std::make_unique<Clos>(options, graph, nics, leaf_of, true);
}

}  // namespace moesim
