// Traffic and balance together. Tokens are hyperedges over experts; experts are divided over
// nodes so that tokens touch few nodes (Fiduccia-Mattheyses from several starts), and only
// redundant replicas cross nodes, to even the nodes' loads where that costs the least traffic.
// A portfolio of such candidates and of plain EPLB is judged, layer by layer, by
//   busiest GPU / mean  +  nodes per token / fewest nodes per token of any candidate,
// under the condition that the busiest GPU is no busier than EPLB's. Loads and traffic are
// those of the dispatch in force: `gather`, or else an even split over replicas.
#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/placement/bounds.hpp"
#include "sim/placement/packing.hpp"
#include "sim/placement/replicate.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Tokens per layer: to search with, and to judge and pack with.
constexpr int kSearchTokens = 4096;
constexpr int kJudgeTokens = 32768;

class LayerSearch {
 public:
  LayerSearch(const PlacementProblem& problem, int layer, NodeChoice choice)
      : p_(problem),
        choice_(choice),
        load_(problem.layer_weights(layer)),
        sample_(problem.samples.empty() ? TokenView{{}, 1} : problem.samples[z(layer)]),
        graph_(sample_, problem.experts, kSearchTokens),
        all_(sample_, problem.experts, kJudgeTokens) {
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
    const NodeReplicas replicas = replicas_over_nodes(one, 0);
    const NodeTraffic traffic = node_traffic(choice_, all_, replicas);
    candidates_.push_back({busiest_gpu(one, 0, load_, p_.gpu_speed),
                           busiest(one, replicas, traffic), traffic.nodes_per_token,
                           std::move(map)});
  }

  // Every start once; the best of them also with more and with less balance between nodes.
  void search() {
    const auto starts = divisions();
    std::size_t best_start = 0;
    double best_score = std::numeric_limits<double>::infinity();
    const std::size_t first = candidates_.size();
    for (const auto& start : starts) consider(built(start, 0.02));
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const double s = score(candidates_[first + i]);
      if (s >= best_score) continue;
      best_score = s;
      best_start = i;
    }
    for (const double slack : {0.005, 0.01, 0.03, 0.04}) {
      consider(built(starts[best_start], slack));
    }
  }

  // The best by score of those no busier than the first.
  std::vector<int> best() const {
    const Candidate& plain = candidates_.front();
    const Candidate* best = &plain;
    for (const auto& c : candidates_) {
      if (c.busiest_even > plain.busiest_even || c.busiest > plain.busiest) continue;
      if (score(c) < score(*best)) best = &c;
    }
    return best->map;
  }

 private:
  struct Candidate {
    double busiest_even;  // load / speed under the even split
    double busiest;       // and under the dispatch in force
    double nodes;         // per token
    std::vector<int> map;
  };

  [[nodiscard]] double score(const Candidate& c) const {
    double fewest = std::numeric_limits<double>::infinity();
    for (const auto& other : candidates_) fewest = std::min(fewest, other.nodes);
    const double mean = std::accumulate(load_.begin(), load_.end(), 0.0) / p_.gpus;
    return (mean > 0 ? c.busiest / mean : 1.0) + (fewest > 0 ? c.nodes / fewest : 0.0);
  }

  // A layer map from a division of experts over nodes.
  [[nodiscard]] std::vector<int> built(const std::vector<int>& node_of, double slack) const {
    const NodeReplicas replicas = add_replicas(graph_, load_, node_of,
                                               {.slots_per_node = p_.slots / p_.nodes,
                                                .slots_per_gpu = p_.slots_per_gpu(),
                                                .node_speed = node_speed_,
                                                .slack = slack,
                                                .choice = choice_});
    const NodeTraffic traffic = node_traffic(choice_, all_, replicas);
    std::vector<int> map;
    for (const auto& gpu : pack_nodes(replicas, load_, traffic.share, p_.gpus,
                                      p_.slots_per_gpu(), p_.gpu_speed)) {
      map.insert(map.end(), gpu.begin(), gpu.end());
    }
    return map;
  }

  [[nodiscard]] double busiest(const Placement& one, const NodeReplicas& replicas,
                               const NodeTraffic& traffic) const {
    std::vector<double> load(z(one.gpus), 0.0);
    const auto experts = one.slot_experts(0);
    const auto gpus = one.slot_gpus(0);
    double most = 0;
    for (std::size_t s = 0; s < experts.size(); ++s) {
      const std::size_t i = z(experts[s]) * z(one.nodes) + z(one.node_of(gpus[s]));
      double& mine = load[z(gpus[s])];
      mine += load_[z(experts[s])] * traffic.share[i] / replicas.count[i];
      most = std::max(most, mine / p_.speed(gpus[s]));
    }
    return most;
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
  NodeChoice choice_;
  std::span<const double> load_;
  TokenView sample_;
  TokenGraph graph_;
  TokenGraph all_;
  std::vector<double> node_speed_;
  std::vector<Candidate> candidates_;
};

}  // namespace

Placement hypergraph(const PlacementProblem& p, const PlacementOptions& options) {
  const Placement plain = eplb(p, options);
  const Placement global = eplb_global(p, options);
  const NodeChoice choice =
      options.dispatch == "gather" ? NodeChoice::gather : NodeChoice::even;
  std::vector<int> map;
  for (int l = 0; l < p.layers; ++l) {
    LayerSearch search(p, l, choice);
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
