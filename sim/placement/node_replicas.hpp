// Replicas of a layer's experts over nodes, and where tokens go under a choice of replica.
#pragma once

#include <span>
#include <vector>

#include "sim/placement/placement.hpp"
#include "sim/placement/token_graph.hpp"

namespace moesim {

// How many replicas of each expert each node has.
struct NodeReplicas {
  int nodes = 0;
  std::vector<int> count{};  // [experts * nodes]

  [[nodiscard]] std::span<const int> of(int expert) const {
    const auto n = static_cast<std::size_t>(nodes);
    return std::span(count).subspan(static_cast<std::size_t>(expert) * n, n);
  }
  // Replicas of the expert on all nodes.
  [[nodiscard]] int total(int expert) const;
  // The only node that has the expert; -1 if there are several.
  [[nodiscard]] int only_node(int expert) const;
};
NodeReplicas replicas_over_nodes(const Placement& placement, int layer);

// Which replica a token uses, as far as nodes are concerned.
enum class NodeChoice {
  even,    // any, all equally likely
  gather,  // those on nodes the token visits anyway, else any
};

// What tokens of a sample do: the nodes each must visit, because an expert of it is on one node
// only.
class ForcedVisits {
 public:
  ForcedVisits(const TokenGraph& graph, const NodeReplicas& replicas);

  // [nodes] experts of the token that are on this node only.
  [[nodiscard]] std::span<const int> of(int token) const {
    return std::span(count_).subspan(static_cast<std::size_t>(token) * nodes_, nodes_);
  }
  // An expert that was on `node` only has got a replica elsewhere.
  void release(const TokenGraph& graph, int expert, int node);

 private:
  std::size_t nodes_;
  std::vector<int> count_;  // [tokens * nodes]
};

// Shares [nodes] of one expert of one token: `replicas` [nodes] of it; `forced` [nodes] of the
// token, this expert not counted. Sums to 1.
void node_shares(NodeChoice choice, std::span<const int> replicas, std::span<const int> forced,
                 std::span<double> out);

// Mean of node_shares over the tokens that take the expert, if it had `replicas` [nodes]; the
// others are as in `forced`, where the expert itself counts on `home` (-1: nowhere, it is on
// several nodes already). Even where no sampled token takes it.
void mean_node_shares(NodeChoice choice, const TokenGraph& graph, const ForcedVisits& forced,
                      int expert, int home, std::span<const int> replicas,
                      std::span<double> out);

struct NodeTraffic {
  std::vector<double> share;   // [experts * nodes] of an expert's tokens
  double nodes_per_token = 0;  // mean over the sample, 0 without one
};
NodeTraffic node_traffic(NodeChoice choice, const TokenGraph& graph,
                         const NodeReplicas& replicas);

}  // namespace moesim
