// Tokens as hyperedges over experts: how many nodes a token's experts lie on is what the
// node-dedup transport sends (lambda copies of a token, lambda - 1 of them to other nodes at
// least), so that a placement's traffic is the (lambda - 1) metric of hypergraph partitioning.
#pragma once

#include <span>
#include <vector>

#include "sim/placement/problem.hpp"

namespace moesim {

class TokenGraph {
 public:
  // At most `most` tokens of the sample, evenly spaced.
  TokenGraph(const TokenView& sample, int experts, int most);

  [[nodiscard]] int experts() const { return experts_; }
  [[nodiscard]] int tokens() const { return tokens_; }
  // [top_k] experts of a token.
  [[nodiscard]] std::span<const int> experts_of(int token) const;
  // Tokens that take the expert, ascending.
  [[nodiscard]] std::span<const int> tokens_of(int expert) const;

 private:
  int experts_;
  int tokens_ = 0;
  std::size_t top_k_;
  std::vector<int> pins_;   // [tokens * top_k]
  std::vector<int> begin_;  // [experts + 1] into users_
  std::vector<int> users_;  // tokens by expert
};

// A division of a layer's experts over nodes.
struct NodeLimits {
  std::vector<int> slots;    // [nodes] experts a node can hold
  std::vector<double> load;  // [nodes] load it should not exceed
};

// Fiduccia-Mattheyses passes on `node_of` [experts]: moves experts, each once per pass and
// always the one that saves most token-node pairs, and keeps the best division seen that is
// within the limits. Stops when a pass saves nothing. `load` [experts].
void refine_division(const TokenGraph& graph, std::span<const double> load,
                     const NodeLimits& limits, std::vector<int>& node_of);

}  // namespace moesim
