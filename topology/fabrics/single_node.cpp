#include "topology/fabrics/fabrics.hpp"

namespace moesim {

// Nothing to join: a null fabric would mean shortest paths, which are right here too.
std::unique_ptr<Fabric> make_single_node(const ClusterOptions& options, Graph&,
                                         std::span<Nic>) {
  int nodes = 0;
  for (const NodeGroupOptions& group : options.groups) nodes += group.nodes;
  if (nodes != 1) {
    throw InputError("cluster.fabric = \"single_node\" joins no nodes, but there are " +
                         std::to_string(nodes),
                     "nodes = 1, or a fabric such as rail_optimized");
  }
  return nullptr;
}

}  // namespace moesim
