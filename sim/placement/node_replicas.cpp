#include "sim/placement/node_replicas.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// The only node that has the expert; -1 if there are several.
int only_node(std::span<const int> replicas) {
  int only = -1;
  for (std::size_t n = 0; n < replicas.size(); ++n) {
    if (replicas[n] == 0) continue;
    if (only >= 0) return -1;
    only = static_cast<int>(n);
  }
  return only;
}

}  // namespace

int NodeReplicas::total(int expert) const {
  const auto row = of(expert);
  return std::accumulate(row.begin(), row.end(), 0);
}

int NodeReplicas::only_node(int expert) const { return moesim::only_node(of(expert)); }

NodeReplicas replicas_over_nodes(const Placement& p, int layer) {
  NodeReplicas replicas{p.nodes, std::vector<int>(z(p.experts) * z(p.nodes), 0)};
  const auto experts = p.slot_experts(layer);
  const auto gpus = p.slot_gpus(layer);
  for (std::size_t s = 0; s < experts.size(); ++s) {
    ++replicas.count[z(experts[s]) * z(p.nodes) + z(p.node_of(gpus[s]))];
  }
  return replicas;
}

ForcedVisits::ForcedVisits(const TokenGraph& graph, const NodeReplicas& replicas)
    : nodes_(z(replicas.nodes)), count_(z(graph.tokens()) * nodes_, 0) {
  for (int e = 0; e < graph.experts(); ++e) {
    const int only = replicas.only_node(e);
    if (only < 0) continue;
    for (const int t : graph.tokens_of(e)) ++count_[z(t) * nodes_ + z(only)];
  }
}

void ForcedVisits::release(const TokenGraph& graph, int expert, int node) {
  for (const int t : graph.tokens_of(expert)) --count_[z(t) * nodes_ + z(node)];
}

void node_shares(NodeChoice choice, std::span<const int> replicas, std::span<const int> forced,
                 std::span<double> out) {
  int all = 0;
  int near = 0;
  for (std::size_t n = 0; n < replicas.size(); ++n) {
    all += replicas[n];
    near += forced[n] > 0 ? replicas[n] : 0;
  }
  const bool gathers = choice == NodeChoice::gather && near > 0;
  const double each = 1.0 / (gathers ? near : all);
  for (std::size_t n = 0; n < replicas.size(); ++n) {
    out[n] = gathers && forced[n] == 0 ? 0.0 : replicas[n] * each;
  }
}

void mean_node_shares(NodeChoice choice, const TokenGraph& graph, const ForcedVisits& forced,
                      int expert, int home, std::span<const int> replicas,
                      std::span<double> out) {
  const auto tokens = graph.tokens_of(expert);
  const std::size_t nodes = replicas.size();
  if (choice == NodeChoice::even || tokens.empty() || only_node(replicas) >= 0) {
    const std::vector<int> nothing(nodes, 0);
    node_shares(NodeChoice::even, replicas, nothing, out);
    return;
  }
  std::vector<double> one(nodes);
  std::vector<int> others(nodes);
  std::ranges::fill(out, 0.0);
  for (const int t : tokens) {
    std::ranges::copy(forced.of(t), others.begin());
    if (home >= 0) --others[z(home)];
    node_shares(choice, replicas, others, one);
    for (std::size_t n = 0; n < nodes; ++n) out[n] += one[n];
  }
  for (double& share : out) share /= static_cast<double>(tokens.size());
}

NodeTraffic node_traffic(NodeChoice choice, const TokenGraph& graph,
                         const NodeReplicas& replicas) {
  const std::size_t nodes = z(replicas.nodes);
  const ForcedVisits forced(graph, replicas);
  NodeTraffic traffic;
  traffic.share.resize(replicas.count.size());
  std::vector<int> home(z(graph.experts()));
  for (int e = 0; e < graph.experts(); ++e) {
    home[z(e)] = replicas.only_node(e);
    mean_node_shares(choice, graph, forced, e, home[z(e)], replicas.of(e),
                     std::span(traffic.share).subspan(z(e) * nodes, nodes));
  }
  std::vector<double> one(nodes);
  std::vector<double> miss(nodes);
  for (int t = 0; t < graph.tokens(); ++t) {
    const auto must = forced.of(t);
    for (std::size_t n = 0; n < nodes; ++n) miss[n] = must[n] > 0 ? 0.0 : 1.0;
    for (const int e : graph.experts_of(t)) {
      if (home[z(e)] >= 0) continue;
      node_shares(choice, replicas.of(e), must, one);
      for (std::size_t n = 0; n < nodes; ++n) miss[n] *= 1 - one[n];
    }
    for (const double m : miss) traffic.nodes_per_token += (1 - m) / graph.tokens();
  }
  return traffic;
}

}  // namespace moesim
