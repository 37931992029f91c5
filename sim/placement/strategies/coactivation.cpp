// Experts that tokens take together lie together: METIS divides each layer's co-activation
// graph (vertices: experts, weighted by load; edges: tokens that take both) over the nodes;
// then each layer's parts are matched to nodes so that tokens stay where the layer before had
// them. Replicas stay within nodes, GPUs are packed by load. Without token samples: EPLB.
#include <metis.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/base/errors.hpp"
#include "sim/placement/replicate.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

constexpr int kSampleTokens = 4096;

// Tokens that take both experts, [experts * experts].
std::vector<idx_t> pairs_of(const TokenGraph& graph) {
  const std::size_t n = z(graph.experts());
  std::vector<idx_t> pairs(n * n, 0);
  for (int t = 0; t < graph.tokens(); ++t) {
    for (const int a : graph.experts_of(t)) {
      for (const int b : graph.experts_of(t)) pairs[z(a) * n + z(b)] += a != b;
    }
  }
  return pairs;
}

std::vector<int> divide(const TokenGraph& graph, std::span<const double> load, int nodes) {
  idx_t n = graph.experts();
  const auto pairs = pairs_of(graph);
  std::vector<idx_t> begin{0};
  std::vector<idx_t> neighbours;
  std::vector<idx_t> edge;
  for (idx_t a = 0; a < n; ++a) {
    for (idx_t b = 0; b < n; ++b) {
      const idx_t weight = pairs[static_cast<std::size_t>(a * n + b)];
      if (weight == 0) continue;
      neighbours.push_back(b);
      edge.push_back(weight);
    }
    begin.push_back(static_cast<idx_t>(neighbours.size()));
  }
  const double total = std::accumulate(load.begin(), load.end(), 0.0);
  std::vector<idx_t> weights;  // two constraints: one per expert, and its load
  for (const double w : load) {
    weights.push_back(1);
    weights.push_back(total > 0 ? 1 + static_cast<idx_t>(1e6 * w / total) : 1);
  }
  idx_t constraints = 2;
  idx_t parts = nodes;
  idx_t cut = 0;
  std::vector<real_t> balance = {1.001F, 1.15F};
  std::vector<idx_t> options(METIS_NOPTIONS);
  METIS_SetDefaultOptions(options.data());
  options[METIS_OPTION_SEED] = 1;
  std::vector<idx_t> part(z(graph.experts()), 0);
  const int status = METIS_PartGraphKway(&n, &constraints, begin.data(), neighbours.data(),
                                         weights.data(), nullptr, edge.data(), &parts, nullptr,
                                         balance.data(), options.data(), &cut, part.data());
  if (status != METIS_OK) throw WorldError("METIS could not divide the co-activation graph");
  return {part.begin(), part.end()};
}

// METIS balances only about: the lightest experts of parts with more than `most` move on.
void trim(std::vector<int>& node_of, std::span<const double> load, int nodes, int most) {
  std::vector<int> size(z(nodes), 0);
  for (const int n : node_of) ++size[z(n)];
  std::vector<int> order(node_of.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int a, int b) { return load[z(a)] < load[z(b)]; });
  for (const int e : order) {
    if (size[z(node_of[z(e)])] <= most) continue;
    const auto to = static_cast<int>(std::ranges::min_element(size) - size.begin());
    --size[z(node_of[z(e)])];
    ++size[z(to)];
    node_of[z(e)] = to;
  }
}

// Renames the parts of this layer so that most token-node pairs of `before` stay: greedy by
// weight, then exchanges of two.
void align(const TokenGraph& graph, const TokenGraph& graph_before,
           const std::vector<int>& before, std::vector<int>& node_of, int nodes) {
  std::vector<long> stay(z(nodes) * z(nodes), 0);  // [part][node]
  for (int t = 0; t < std::min(graph.tokens(), graph_before.tokens()); ++t) {
    for (const int e : graph.experts_of(t)) {
      for (const int f : graph_before.experts_of(t)) {
        ++stay[z(node_of[z(e)]) * z(nodes) + z(before[z(f)])];
      }
    }
  }
  std::vector<int> name(z(nodes));
  std::iota(name.begin(), name.end(), 0);
  const auto value = [&](int part, int node) { return stay[z(part) * z(nodes) + z(node)]; };
  for (bool better = true; better;) {
    better = false;
    for (int a = 0; a < nodes; ++a) {
      for (int b = a + 1; b < nodes; ++b) {
        const long now = value(a, name[z(a)]) + value(b, name[z(b)]);
        const long then = value(a, name[z(b)]) + value(b, name[z(a)]);
        if (then <= now) continue;
        std::swap(name[z(a)], name[z(b)]);
        better = true;
      }
    }
  }
  for (int& n : node_of) n = name[z(n)];
}

std::vector<int> layer_map(const PlacementProblem& p, const TokenGraph& graph,
                           std::span<const double> load, const std::vector<int>& node_of) {
  const std::vector<double> speed(z(p.nodes), 1.0);
  constexpr double kNoCrossing = 1e9;
  const NodeReplicas replicas = add_replicas(graph, load, node_of,
                                             {.slots_per_node = p.slots / p.nodes,
                                              .slots_per_gpu = p.slots_per_gpu(),
                                              .node_speed = speed,
                                              .slack = kNoCrossing});
  const auto traffic = node_traffic(NodeChoice::even, graph, replicas);
  std::vector<int> map;
  for (const auto& gpu :
       pack_nodes(replicas, load, traffic.share, p.gpus, p.slots_per_gpu(), p.gpu_speed)) {
    map.insert(map.end(), gpu.begin(), gpu.end());
  }
  return map;
}

}  // namespace

Placement coactivation(const PlacementProblem& p, const PlacementOptions& options) {
  if (p.samples.empty() || p.nodes == 1) return eplb(p, options);
  std::vector<int> map;
  std::vector<TokenGraph> graphs;
  std::vector<int> before;
  for (int l = 0; l < p.layers; ++l) {
    graphs.emplace_back(p.samples[z(l)], p.experts, kSampleTokens);
    const auto load = p.layer_weights(l);
    std::vector<int> node_of = divide(graphs.back(), load, p.nodes);
    trim(node_of, load, p.nodes, p.slots / p.nodes);
    if (l > 0) align(graphs[z(l)], graphs[z(l - 1)], before, node_of, p.nodes);
    const auto layer = layer_map(p, graphs.back(), load, node_of);
    map.insert(map.end(), layer.begin(), layer.end());
    before = std::move(node_of);
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
