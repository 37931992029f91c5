#include "sim/placement/replicate.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "sim/base/errors.hpp"
#include "sim/placement/packing.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Per (expert, node): of the tokens that take the expert, the part that reaches the node anyway
// through other experts, each of those on its first node. Sending the expert's tokens there
// costs the rest.
std::vector<double> company(const TokenGraph& graph, std::span<const int> node_of,
                            std::size_t nodes) {
  std::vector<double> with(node_of.size() * nodes, 0.0);
  std::vector<int> here(nodes);
  for (int t = 0; t < graph.tokens(); ++t) {
    std::ranges::fill(here, 0);
    for (const int e : graph.experts_of(t)) ++here[z(node_of[z(e)])];
    for (const int e : graph.experts_of(t)) {
      for (std::size_t n = 0; n < nodes; ++n) {
        with[z(e) * nodes + n] += here[n] > (n == z(node_of[z(e)]) ? 1 : 0);
      }
    }
  }
  for (std::size_t i = 0; i < with.size(); ++i) {
    const auto users = graph.tokens_of(static_cast<int>(i / nodes)).size();
    if (users > 0) with[i] /= static_cast<double>(users);
  }
  return with;
}

class Replicator {
 public:
  Replicator(const TokenGraph& graph, std::span<const double> load,
             std::span<const int> node_of, const ReplicaRules& rules)
      : graph_(graph),
        load_(load),
        node_of_(node_of),
        rules_(rules),
        nodes_(rules.node_speed.size()),
        company_(company(graph, node_of, nodes_)),
        out_(one_each(node_of, nodes_)),
        forced_(graph, out_),
        free_(nodes_, rules.slots_per_node),
        share_(load.size() * nodes_, 0.0),
        after_(nodes_) {
    for (const int n : node_of) --free_[z(n)];
    MOESIM_LAW(std::ranges::all_of(free_, [](int f) { return f >= 0; }),
               "a node holds the experts divided to it");
    total_speed_ = std::accumulate(rules.node_speed.begin(), rules.node_speed.end(), 0.0);
    total_load_ = std::accumulate(load.begin(), load.end(), 0.0);
    for (std::size_t e = 0; e < load.size(); ++e) share_[e * nodes_ + z(node_of[e])] = 1;
    add_up();
  }

  NodeReplicas run() {
    while (relieve_hottest_node()) {
    }
    fill_up();
    return std::move(out_);
  }

 private:
  struct Option {
    int expert = -1;
    int node = -1;
    double cost = std::numeric_limits<double>::infinity();
    double moved = 0;  // load: of equal costs the least, so that names do not matter

    [[nodiscard]] bool beats(const Option& other) const {
      return std::pair(cost, moved) < std::pair(other.cost, other.moved);
    }
  };

  static NodeReplicas one_each(std::span<const int> node_of, std::size_t nodes) {
    NodeReplicas one{static_cast<int>(nodes), std::vector<int>(node_of.size() * nodes, 0)};
    for (std::size_t e = 0; e < node_of.size(); ++e) one.count[e * nodes + z(node_of[e])] = 1;
    return one;
  }

  [[nodiscard]] double target(std::size_t node) const {
    return total_load_ * rules_.node_speed[node] / total_speed_ * (1 + rules_.slack);
  }
  [[nodiscard]] double excess(std::size_t node) const {
    return node_load_[node] - target(node);
  }
  [[nodiscard]] int held(int expert, std::size_t node) const {
    return out_.count[z(expert) * nodes_ + node];
  }
  [[nodiscard]] bool is_on_one(int expert) const {
    return std::ranges::count_if(out_.of(expert), [](int c) { return c > 0; }) == 1;
  }

  // Fills after_ with the shares the expert would have with one more replica on `node`.
  void try_one_more(int expert, std::size_t node) {
    int& count = out_.count[z(expert) * nodes_ + node];
    const int home = is_on_one(expert) ? node_of_[z(expert)] : -1;
    ++count;
    mean_node_shares(rules_.choice, graph_, forced_, expert, home, out_.of(expert), after_);
    --count;
  }

  // One replica to another node, from the node that is furthest over its target: the one that
  // costs the least traffic per load taken off. False if no node is over it or nothing helps.
  bool relieve_hottest_node() {
    std::size_t hot = 0;
    for (std::size_t n = 1; n < nodes_; ++n) {
      if (excess(n) > excess(hot)) hot = n;
    }
    if (excess(hot) <= 0) return false;
    Option best;
    for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
      if (held(e, hot) == 0 || load_[z(e)] <= 0) continue;
      for (std::size_t n = 0; n < nodes_; ++n) {
        if (n == hot || free_[n] == 0 || excess(n) >= 0) continue;
        const Option option = price(e, hot, n);
        if (option.beats(best)) best = option;
      }
    }
    if (best.expert < 0) return false;
    add(best.expert, z(best.node));
    return true;
  }

  Option price(int expert, std::size_t hot, std::size_t node) {
    try_one_more(expert, node);
    const double* share = &share_[z(expert) * nodes_];
    const double gain = (share[hot] - after_[hot]) * load_[z(expert)];
    const double moved = (after_[node] - share[node]) * load_[z(expert)];
    if (gain <= 0 || moved > -excess(node)) return {};
    const double useful = std::min(gain, excess(hot));
    double detour = 0;  // gathered tokens make none
    if (rules_.choice == NodeChoice::even) {
      detour =
          (company_[z(expert) * nodes_ + hot] - company_[z(expert) * nodes_ + node]) * moved;
    }
    // A slot is dear too: small reliefs use them up.
    const double slot = kSlotPrice * total_load_ / static_cast<double>(load_.size());
    return {expert, static_cast<int>(node), (detour + slot) / useful, moved};
  }

  void add(int expert, std::size_t node) {
    const bool was_on_one = is_on_one(expert);
    ++out_.count[z(expert) * nodes_ + node];
    --free_[node];
    if (was_on_one && !is_on_one(expert)) {
      forced_.release(graph_, expert, node_of_[z(expert)]);
      if (rules_.choice == NodeChoice::gather) refresh_shares();
    }
    refresh_share(expert);
    add_up();
  }

  // Experts that share tokens with one that is no longer forced may go elsewhere now.
  void refresh_shares() {
    for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
      if (!is_on_one(e)) refresh_share(e);
    }
  }

  void refresh_share(int expert) {
    const int home = is_on_one(expert) ? node_of_[z(expert)] : -1;
    mean_node_shares(rules_.choice, graph_, forced_, expert, home, out_.of(expert),
                     std::span(share_).subspan(z(expert) * nodes_, nodes_));
  }

  void add_up() {
    node_load_.assign(nodes_, 0.0);
    for (std::size_t i = 0; i < share_.size(); ++i) {
      node_load_[i % nodes_] += load_[i / nodes_] * share_[i];
    }
  }

  // Slots left: on each node the expert with the highest load per replica there.
  void fill_up() {
    for (std::size_t n = 0; n < nodes_; ++n) {
      while (free_[n] > 0) {
        int best = -1;
        double best_load = -1;
        for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
          if (held(e, n) == 0) continue;
          const double each = load_[z(e)] * share_[z(e) * nodes_ + n] / held(e, n);
          if (each <= best_load || !may_grow(e, n, each)) continue;
          best = e;
          best_load = each;
        }
        add(best >= 0 ? best : any_on(n), n);
      }
    }
  }

  // A replica more here draws load from the expert's other nodes; that must leave the node
  // within its target, unless a GPU could hardly hold the replica as it is.
  bool may_grow(int expert, std::size_t node, double each) {
    const double mean_gpu = total_load_ * rules_.slots_per_gpu /
                            (static_cast<double>(nodes_) * rules_.slots_per_node);
    if (is_on_one(expert) || each > kHotReplica * mean_gpu) return true;
    try_one_more(expert, node);
    const double drawn = (after_[node] - share_[z(expert) * nodes_ + node]) * load_[z(expert)];
    return drawn <= -excess(node);
  }

  [[nodiscard]] int any_on(std::size_t node) const {
    for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
      if (held(e, node) > 0) return e;
    }
    return 0;  // a node with no expert at all takes the first
  }

  static constexpr double kSlotPrice = 0.05;  // in loads of a mean expert
  static constexpr double kHotReplica = 0.8;  // in loads of a mean GPU

  const TokenGraph& graph_;
  std::span<const double> load_;
  std::span<const int> node_of_;
  ReplicaRules rules_;
  std::size_t nodes_;
  std::vector<double> company_;  // [experts * nodes]
  NodeReplicas out_;
  ForcedVisits forced_;
  std::vector<int> free_;          // [nodes] slots
  std::vector<double> share_;      // [experts * nodes]
  std::vector<double> node_load_;  // [nodes]
  std::vector<double> after_;      // [nodes] scratch
  double total_speed_ = 0;
  double total_load_ = 0;
};

// The GPUs of one node.
struct NodePacks {
  std::vector<std::vector<int>> experts;  // [gpus] of the node
  std::span<const double> each;           // [experts] load of one replica on this node
  std::span<const double> speed;          // [gpus] or empty

  [[nodiscard]] double time(std::size_t gpu, double load) const {
    return load / (speed.empty() ? 1.0 : speed[gpu]);
  }
  [[nodiscard]] double time(std::size_t gpu) const {
    double load = 0;
    for (const int e : experts[gpu]) load += each[z(e)];
    return time(gpu, load);
  }
  [[nodiscard]] bool holds(std::size_t gpu, int expert) const {
    return std::ranges::find(experts[gpu], expert) != experts[gpu].end();
  }
};

struct Swap {
  std::size_t gpu = 0;
  std::size_t i = 0;  // of the hot GPU
  std::size_t j = 0;  // of `gpu`
  double after = 0;   // time of the busier of both
};

// The swap of the hot GPU with another that leaves the busier of both least busy.
Swap best_swap(const NodePacks& packs, std::size_t hot, std::span<const double> time) {
  Swap best{hot, 0, 0, time[hot] * (1 - 1e-9)};
  for (std::size_t g = 0; g < packs.experts.size(); ++g) {
    if (g == hot) continue;
    for (std::size_t i = 0; i < packs.experts[hot].size(); ++i) {
      for (std::size_t j = 0; j < packs.experts[g].size(); ++j) {
        const int a = packs.experts[hot][i];
        const int b = packs.experts[g][j];
        const double change = packs.each[z(a)] - packs.each[z(b)];
        if (change <= 0) continue;
        const double after =
            std::max(time[hot] - packs.time(hot, change), time[g] + packs.time(g, change));
        if (after >= best.after || packs.holds(g, a) || packs.holds(hot, b)) continue;
        best = {g, i, j, after};
      }
    }
  }
  return best;
}

void swap_while_better(NodePacks& packs) {
  std::vector<double> time;
  for (std::size_t g = 0; g < packs.experts.size(); ++g) time.push_back(packs.time(g));
  constexpr int kMostSwaps = 200;
  for (int round = 0; round < kMostSwaps; ++round) {
    const auto hot = static_cast<std::size_t>(std::ranges::max_element(time) - time.begin());
    const Swap swap = best_swap(packs, hot, time);
    if (swap.gpu == hot) return;
    std::swap(packs.experts[hot][swap.i], packs.experts[swap.gpu][swap.j]);
    time[hot] = packs.time(hot);
    time[swap.gpu] = packs.time(swap.gpu);
  }
}

}  // namespace

NodeReplicas add_replicas(const TokenGraph& graph, std::span<const double> load,
                          std::span<const int> node_of, const ReplicaRules& rules) {
  return Replicator(graph, load, node_of, rules).run();
}

std::vector<std::vector<int>> pack_nodes(const NodeReplicas& replicas,
                                         std::span<const double> load,
                                         std::span<const double> share, int gpus,
                                         int slots_per_gpu, std::span<const double> speed) {
  const std::size_t per_node = z(gpus / replicas.nodes);
  const std::size_t nodes = z(replicas.nodes);
  std::vector<std::vector<int>> all;
  for (std::size_t n = 0; n < nodes; ++n) {
    std::vector<double> each(load.size(), 0.0);
    std::vector<int> expert_of;
    std::vector<double> weight;
    for (std::size_t e = 0; e < load.size(); ++e) {
      const int count = replicas.count[e * nodes + n];
      if (count > 0) each[e] = load[e] * share[e * nodes + n] / count;
      expert_of.insert(expert_of.end(), z(count), static_cast<int>(e));
      weight.insert(weight.end(), z(count), each[e]);
    }
    const std::vector<int> capacity(per_node, slots_per_gpu);
    const auto node_speed = speed.empty() ? speed : speed.subspan(n * per_node, per_node);
    NodePacks packs{pack_apart(weight, expert_of, capacity, node_speed, Duplicates::avoided),
                    each, node_speed};
    for (auto& pack : packs.experts) {
      for (int& item : pack) item = expert_of[z(item)];
    }
    swap_while_better(packs);
    all.insert(all.end(), packs.experts.begin(), packs.experts.end());
  }
  return all;
}

}  // namespace moesim
