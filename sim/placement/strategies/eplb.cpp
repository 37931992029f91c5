// The expert-parallelism load balancer of DeepSeek (github.com/deepseek-ai/EPLB), step by step,
// in double precision, the first index on ties:
//   1. pack router groups onto nodes, 2. replicate the hottest experts within each node,
//   3. pack the replicas onto the node's GPUs.
// Global: the same with one node and one group.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "sim/base/diagnostics.hpp"
#include "sim/placement/packing.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Step 1: experts in the order of their nodes, [experts].
std::vector<int> experts_by_node(std::span<const double> weights, int groups, int nodes) {
  const std::size_t size = weights.size() / z(groups);
  std::vector<double> group_weight(z(groups), 0.0);
  for (std::size_t e = 0; e < weights.size(); ++e) group_weight[e / size] += weights[e];
  std::vector<int> experts;
  experts.reserve(weights.size());
  for (const int group : balanced_packing(group_weight, nodes)) {
    for (std::size_t i = 0; i < size; ++i) {
      experts.push_back(group * static_cast<int>(size) + static_cast<int>(i));
    }
  }
  return experts;
}

// Steps 2 and 3 on one node: appends the node's slots, GPU by GPU.
void fill_node(std::span<const double> weights, std::span<const int> experts, int slots,
               int gpus, bool apart, std::vector<int>& map) {
  std::vector<double> load;
  for (const int e : experts) load.push_back(weights[z(e)]);
  std::vector<int> expert_of(experts.size());  // of each replica, index into `experts`
  std::iota(expert_of.begin(), expert_of.end(), 0);
  const std::vector<int> counts = replica_counts(load, slots, &expert_of);
  std::vector<double> replica_load;
  for (const int i : expert_of) replica_load.push_back(load[z(i)] / counts[z(i)]);
  if (!apart) {
    for (const int r : balanced_packing(replica_load, gpus)) {
      map.push_back(experts[z(expert_of[z(r)])]);
    }
    return;
  }
  const std::vector<int> capacity(z(gpus), slots / gpus);
  for (const auto& pack :
       pack_apart(replica_load, expert_of, capacity, {}, Duplicates::avoided)) {
    for (const int r : pack) map.push_back(experts[z(expert_of[z(r)])]);
  }
}

Placement rebalance(const PlacementProblem& p, int groups, int nodes, bool apart) {
  std::vector<int> map;
  map.reserve(z(p.layers) * z(p.slots));
  const std::size_t per_node = z(p.experts / nodes);
  for (int l = 0; l < p.layers; ++l) {
    const auto weights = p.layer_weights(l);
    const std::vector<int> experts = experts_by_node(weights, groups, nodes);
    for (int n = 0; n < nodes; ++n) {
      fill_node(weights, std::span(experts).subspan(z(n) * per_node, per_node), p.slots / nodes,
                p.gpus / nodes, apart, map);
    }
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace

Placement eplb_hierarchical(const PlacementProblem& p, const PlacementOptions& options) {
  if (p.groups % p.nodes != 0) {
    throw InputError(
        fmt::format("eplb_hierarchical: {} expert groups do not divide over {} nodes", p.groups,
                    p.nodes),
        "a multiple of the nodes", "eplb_global needs no groups; eplb chooses by itself");
  }
  return rebalance(p, p.groups, p.nodes, options.no_same_gpu_duplicates);
}

Placement eplb_global(const PlacementProblem& p, const PlacementOptions& options) {
  return rebalance(p, 1, 1, options.no_same_gpu_duplicates);
}

Placement eplb(const PlacementProblem& p, const PlacementOptions& options) {
  return p.groups % p.nodes == 0 ? eplb_hierarchical(p, options) : eplb_global(p, options);
}

}  // namespace moesim::strategies
