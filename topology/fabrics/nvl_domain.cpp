#include <fmt/format.h>

#include "topology/fabrics/clos.hpp"
#include "topology/fabrics/fabrics.hpp"

namespace moesim {

// NVLink domains of several nodes (NVL72: 18 nodes of 4) joined by rails: NIC i of every domain
// meets in leaf i.
std::unique_ptr<Fabric> make_nvl_domain(const ClusterOptions& options, Graph& graph,
                                        std::span<Nic> nics) {
  int nodes = 0;
  for (const NodeGroupOptions& group : options.groups) {
    nodes += group.nodes;
    if (options.nodes_per_domain < 1 || group.nodes % options.nodes_per_domain != 0) {
      throw InputError(fmt::format("cluster.nodes_per_domain = {} does not divide {} nodes",
                                   options.nodes_per_domain, group.nodes),
                       "a divisor, such as 18 for NVL72 trays of 4 GPUs");
    }
  }
  if (nodes == options.nodes_per_domain) return nullptr;  // one domain: NVLink joins all
  std::vector<int> leaf_of;
  for (const Nic& nic : nics) leaf_of.push_back(nic.rail);
  return std::make_unique<Clos>(options, graph, nics, leaf_of, true);
}

}  // namespace moesim
