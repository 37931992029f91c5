// Traffic and balance together. Tokens are hyperedges over experts; experts are divided over
// nodes so that tokens touch few nodes (Fiduccia-Mattheyses from several starts), and only
// redundant replicas cross nodes, to even the nodes' loads where that costs the least traffic.
// A portfolio of such candidates and of plain EPLB is judged, layer by layer, by
//   busiest GPU / mean  +  nodes per token / fewest nodes per token of any candidate,
// under the condition that the busiest GPU is no busier than EPLB's.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "sim/base/rng.hpp"
#include "sim/placement/bounds.hpp"
#include "sim/placement/node_replicas.hpp"
#include "sim/placement/packing.hpp"
#include "sim/placement/strategies/strategies.hpp"
#include "sim/placement/token_graph.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

constexpr int kSampleTokens = 4096;  // per layer, for divisions and traffic

class LayerSearch {
 public:
  LayerSearch(const PlacementProblem& problem, int layer)
      : p_(problem),
        load_(problem.layer_weights(layer)),
        graph_(problem.samples.empty() ? TokenView{{}, 1} : problem.samples[z(layer)],
               problem.experts, kSampleTokens) {
    for (int n = 0; n < p_.nodes; ++n) {
      double speed = 0;
      for (int g = n * p_.gpus_per_node(); g < (n + 1) * p_.gpus_per_node(); ++g) {
        speed += p_.speed(g);
      }
      node_speed_.push_back(speed);
    }
  }

  // Adds a finished layer map, [slots].
  void consider(std::vector<int> map) {
    const Placement one = uniform_placement(1, p_.experts, p_.slots, p_.nodes, p_.gpus, map);
    candidates_.push_back(
        {busiest_gpu(one, 0, load_, p_.gpu_speed), traffic(one), std::move(map)});
  }

  void search() {
    for (const auto& start : divisions()) {
      for (const double slack : {0.005, 0.01, 0.02, 0.03, 0.04}) {
        const NodeReplicas replicas = add_replicas(
            graph_, load_, start,
            {.slots_per_node = p_.slots / p_.nodes, .node_speed = node_speed_, .slack = slack});
        std::vector<int> map;
        for (const auto& gpu :
             pack_nodes(replicas, load_, p_.gpus, p_.slots_per_gpu(), p_.gpu_speed)) {
          map.insert(map.end(), gpu.begin(), gpu.end());
        }
        consider(std::move(map));
      }
    }
  }

  // The best by score of those no busier than the first.
  std::vector<int> best() {
    double fewest = std::numeric_limits<double>::infinity();
    for (const auto& c : candidates_) fewest = std::min(fewest, c.nodes);
    const double mean = std::accumulate(load_.begin(), load_.end(), 0.0) / p_.gpus;
    const auto score = [&](const Candidate& c) {
      return (mean > 0 ? c.busiest / mean : 1.0) + (fewest > 0 ? c.nodes / fewest : 0.0);
    };
    const Candidate* best = &candidates_.front();
    for (const auto& c : candidates_) {
      if (c.busiest <= candidates_.front().busiest && score(c) < score(*best)) best = &c;
    }
    return best->map;
  }

 private:
  struct Candidate {
    double busiest;
    double nodes;
    std::vector<int> map;
  };

  [[nodiscard]] double traffic(const Placement& one) const {
    std::vector<double> share(z(p_.experts) * z(p_.nodes), 0.0);
    const auto experts = one.slot_experts(0);
    const auto gpus = one.slot_gpus(0);
    for (std::size_t s = 0; s < experts.size(); ++s) {
      share[z(experts[s]) * z(p_.nodes) + z(one.node_of(gpus[s]))] +=
          1.0 / static_cast<double>(one.replicas(0, experts[s]).size());
    }
    return nodes_per_token(graph_, share, p_.nodes);
  }

  [[nodiscard]] NodeLimits limits(double tolerance) const {
    NodeLimits limits;
    const double total = std::accumulate(load_.begin(), load_.end(), 0.0);
    const double speeds = std::accumulate(node_speed_.begin(), node_speed_.end(), 0.0);
    const int per_node = p_.slots / p_.nodes;
    const int even = (p_.experts + p_.nodes - 1) / p_.nodes;
    for (int n = 0; n < p_.nodes; ++n) {
      limits.slots.push_back(std::min(per_node, even + (per_node - even) / 4));
      limits.load.push_back(total * node_speed_[z(n)] / speeds * tolerance);
    }
    return limits;
  }

  // Starts: the router's groups packed onto nodes, experts in order, and by weight; each as it
  // is where it has structure, and refined.
  std::vector<std::vector<int>> divisions() {
    std::vector<std::vector<int>> starts;
    if (p_.groups % p_.nodes == 0) starts.push_back(by_group());
    starts.push_back(by_weight());
    std::vector<std::vector<int>> all = starts;
    if (graph_.tokens() == 0 || p_.nodes == 1) return all;
    starts.push_back(in_order());
    for (const auto& start : starts) {
      for (const double tolerance : {1.1, 1.25}) {
        std::vector<int> refined = start;
        refine_division(graph_, load_, limits(tolerance), refined);
        all.push_back(std::move(refined));
      }
    }
    return all;
  }

  [[nodiscard]] std::vector<int> by_group() const {
    const int size = p_.experts / p_.groups;
    std::vector<double> weight(z(p_.groups), 0.0);
    for (int e = 0; e < p_.experts; ++e) weight[z(e / size)] += load_[z(e)];
    std::vector<int> node_of(z(p_.experts));
    const auto packed = balanced_packing(weight, p_.nodes);
    for (std::size_t i = 0; i < packed.size(); ++i) {
      const int node = static_cast<int>(i) / (p_.groups / p_.nodes);
      for (int e = packed[i] * size; e < (packed[i] + 1) * size; ++e) node_of[z(e)] = node;
    }
    return node_of;
  }

  [[nodiscard]] std::vector<int> in_order() const {
    std::vector<int> node_of;
    for (int e = 0; e < p_.experts; ++e) {
      node_of.push_back(static_cast<int>(static_cast<long>(e) * p_.nodes / p_.experts));
    }
    return node_of;
  }

  [[nodiscard]] std::vector<int> by_weight() const {
    const int even = (p_.experts + p_.nodes - 1) / p_.nodes;
    const std::vector<int> capacity(z(p_.nodes), even);
    const auto packs = pack_apart(load_, {}, capacity, node_speed_, Duplicates::allowed);
    std::vector<int> node_of(z(p_.experts));
    for (std::size_t n = 0; n < packs.size(); ++n) {
      for (const int e : packs[n]) node_of[z(e)] = static_cast<int>(n);
    }
    return node_of;
  }

  const PlacementProblem& p_;
  std::span<const double> load_;
  TokenGraph graph_;
  std::vector<double> node_speed_;
  std::vector<Candidate> candidates_;
};

}  // namespace

Placement hypergraph(const PlacementProblem& p, const PlacementOptions& options) {
  const Placement plain = eplb(p, options);
  const Placement global = eplb_global(p, options);
  std::vector<int> map;
  for (int l = 0; l < p.layers; ++l) {
    LayerSearch search(p, l);
    for (const Placement* other : {&plain, &global}) {
      const auto experts = other->slot_experts(l);
      search.consider({experts.begin(), experts.end()});
    }
    search.search();
    const auto best = search.best();
    map.insert(map.end(), best.begin(), best.end());
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
