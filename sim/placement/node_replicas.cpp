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

namespace {

// The nodes that have replicas of an expert, and how many each.
struct Host {
  std::size_t node;
  int replicas;
};

std::vector<Host> hosts_of(std::span<const int> replicas) {
  std::vector<Host> hosts;
  for (std::size_t n = 0; n < replicas.size(); ++n) {
    if (replicas[n] > 0) hosts.push_back({n, replicas[n]});
  }
  return hosts;
}

void add_even(std::span<const Host> hosts, double tokens, std::span<double> out) {
  int all = 0;
  for (const Host& h : hosts) all += h.replicas;
  for (const Host& h : hosts) out[h.node] += tokens * h.replicas / all;
}

// Probabilities that a token reaches no replica of an expert on a node multiply into `miss`.
void miss_nodes(NodeChoice choice, std::span<const Host> hosts, std::span<const int> forced,
                std::span<double> miss) {
  int all = 0;
  int near = 0;
  for (const Host& h : hosts) {
    all += h.replicas;
    near += forced[h.node] > 0 ? h.replicas : 0;
  }
  if (choice == NodeChoice::gather && near > 0) return;  // it visits those nodes anyway
  for (const Host& h : hosts) miss[h.node] *= 1 - static_cast<double>(h.replicas) / all;
}

}  // namespace

void mean_node_shares(NodeChoice choice, const TokenGraph& graph, const ForcedVisits& forced,
                      int expert, int home, std::span<const int> replicas,
                      std::span<double> out) {
  std::ranges::fill(out, 0.0);
  const std::vector<Host> hosts = hosts_of(replicas);
  const auto tokens = graph.tokens_of(expert);
  if (choice == NodeChoice::even || tokens.empty() || hosts.size() < 2) {
    add_even(hosts, 1, out);
    return;
  }
  const double each = 1 / static_cast<double>(tokens.size());
  int anywhere = 0;  // tokens that visit none of the hosts
  for (const int t : tokens) {
    const auto must = forced.of(t);
    const auto visits = [&](const Host& h) {
      return must[h.node] > (static_cast<int>(h.node) == home ? 1 : 0);
    };
    int near = 0;
    for (const Host& h : hosts) near += visits(h) ? h.replicas : 0;
    anywhere += near == 0;
    for (const Host& h : hosts) {
      if (visits(h)) out[h.node] += each * h.replicas / near;
    }
  }
  add_even(hosts, anywhere * each, out);
}

NodeTraffic node_traffic(NodeChoice choice, const TokenGraph& graph,
                         const NodeReplicas& replicas) {
  const std::size_t nodes = z(replicas.nodes);
  const ForcedVisits forced(graph, replicas);
  NodeTraffic traffic;
  traffic.share.resize(replicas.count.size());
  std::vector<std::vector<Host>> hosts;  // [experts]
  for (int e = 0; e < graph.experts(); ++e) {
    hosts.push_back(hosts_of(replicas.of(e)));
    mean_node_shares(choice, graph, forced, e, replicas.only_node(e), replicas.of(e),
                     std::span(traffic.share).subspan(z(e) * nodes, nodes));
  }
  std::vector<double> miss(nodes);
  for (int t = 0; t < graph.tokens(); ++t) {
    const auto must = forced.of(t);
    for (std::size_t n = 0; n < nodes; ++n) miss[n] = must[n] > 0 ? 0.0 : 1.0;
    for (const int e : graph.experts_of(t)) {
      if (hosts[z(e)].size() > 1) miss_nodes(choice, hosts[z(e)], must, miss);
    }
    for (const double m : miss) traffic.nodes_per_token += (1 - m) / graph.tokens();
  }
  return traffic;
}

}  // namespace moesim
