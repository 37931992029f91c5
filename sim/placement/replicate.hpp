// Redundant replicas over nodes, and replicas of a node over its GPUs.
#pragma once

#include <span>
#include <vector>

#include "sim/placement/node_replicas.hpp"

namespace moesim {

struct ReplicaRules {
  int slots_per_node = 0;
  int slots_per_gpu = 1;
  std::span<const double> node_speed{};  // [nodes]
  double slack = 0.02;  // nodes are relieved down to (1 + slack) x their share of the load
  NodeChoice choice = NodeChoice::even;
};

// From a division of experts over nodes (one replica each): replicas go across nodes only where
// that evens the nodes' loads, those first that cost the least traffic for the load they move;
// the other slots go to each node's hottest experts. `graph` may have no tokens: then traffic
// does not count.
NodeReplicas add_replicas(const TokenGraph& graph, std::span<const double> load,
                          std::span<const int> node_of, const ReplicaRules& rules);

// Packs every node's replicas onto its GPUs: heaviest first, no expert twice on a GPU where
// that can be helped, then swaps between GPUs while the busiest gets less busy. Returns the
// experts of each GPU: [gpus][slots per GPU]. `share` [experts * nodes], `speed` [gpus] or
// empty.
std::vector<std::vector<int>> pack_nodes(const NodeReplicas& replicas,
                                         std::span<const double> load,
                                         std::span<const double> share, int gpus,
                                         int slots_per_gpu, std::span<const double> speed);

}  // namespace moesim
