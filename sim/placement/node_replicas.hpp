// Redundant replicas over nodes: across nodes only where that evens the nodes' loads, there
// where it costs the least traffic; the rest within nodes for the hottest experts.
#pragma once

#include <span>
#include <vector>

#include "sim/placement/token_graph.hpp"

namespace moesim {

// How many replicas of each expert each node has: [experts * nodes].
struct NodeReplicas {
  int nodes = 0;
  std::vector<int> count;

  // Replicas of the expert on all nodes.
  [[nodiscard]] int total(int expert) const;
  // [experts * nodes] share of an expert's tokens that a node serves under the even split.
  [[nodiscard]] std::vector<double> shares() const;
  // [nodes] load of each node under the even split.
  [[nodiscard]] std::vector<double> loads(std::span<const double> load) const;
};

struct ReplicaRules {
  int slots_per_node = 0;
  std::span<const double> node_speed;  // [nodes] sum of GPU speeds; the mean GPU has 1
  double slack = 0.02;  // nodes are relieved down to (1 + slack) x their share of the load
};

// From a division of experts over nodes (one replica each). `graph` may be empty: then traffic
// does not count.
NodeReplicas add_replicas(const TokenGraph& graph, std::span<const double> load,
                          std::span<const int> node_of, const ReplicaRules& rules);

// Packs every node's replicas onto its GPUs: heaviest first, no expert twice on a GPU where
// that can be helped, then swaps between GPUs while the busiest gets less busy. Returns the
// experts of each GPU: [gpus][slots per GPU]. `speed` [gpus] or empty.
std::vector<std::vector<int>> pack_nodes(const NodeReplicas& replicas,
                                         std::span<const double> load, int gpus,
                                         int slots_per_gpu, std::span<const double> speed);

}  // namespace moesim
