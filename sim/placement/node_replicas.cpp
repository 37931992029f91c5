#include "sim/placement/node_replicas.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/base/errors.hpp"
#include "sim/placement/packing.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Per (expert, node): of the tokens that take the expert, the part that would reach the node
// anyway through other experts. Sending the expert's tokens there costs the rest.
class Company {
 public:
  Company(const TokenGraph& graph, int nodes)
      : graph_(graph), nodes_(z(nodes)), with_(z(graph.experts()) * nodes_, 0.0) {}

  void measure(const NodeReplicas& replicas) {
    if (graph_.tokens() == 0) return;
    std::ranges::fill(with_, 0.0);
    const std::vector<double> share = replicas.shares();
    std::vector<double> miss(nodes_);
    for (int t = 0; t < graph_.tokens(); ++t) {
      const auto experts = graph_.experts_of(t);
      for (const int e : experts) {
        std::ranges::fill(miss, 1.0);
        for (const int f : experts) {
          if (f == e) continue;
          for (std::size_t n = 0; n < nodes_; ++n) miss[n] *= 1 - share[z(f) * nodes_ + n];
        }
        for (std::size_t n = 0; n < nodes_; ++n) with_[z(e) * nodes_ + n] += 1 - miss[n];
      }
    }
    for (int e = 0; e < graph_.experts(); ++e) {
      const double users = std::max<double>(1, static_cast<double>(graph_.tokens_of(e).size()));
      for (std::size_t n = 0; n < nodes_; ++n) with_[z(e) * nodes_ + n] /= users;
    }
  }
  // Extra nodes per token of the expert that goes to `to` instead of `from`.
  [[nodiscard]] double detour(int expert, int from, int to) const {
    return with_[z(expert) * nodes_ + z(from)] - with_[z(expert) * nodes_ + z(to)];
  }

 private:
  const TokenGraph& graph_;
  std::size_t nodes_;
  std::vector<double> with_;
};

class Replicator {
 public:
  Replicator(const TokenGraph& graph, std::span<const double> load,
             std::span<const int> node_of, const ReplicaRules& rules)
      : load_(load), rules_(rules), company_(graph, static_cast<int>(rules.node_speed.size())) {
    out_.nodes = static_cast<int>(rules.node_speed.size());
    out_.count.assign(load.size() * z(out_.nodes), 0);
    free_.assign(z(out_.nodes), rules.slots_per_node);
    for (std::size_t e = 0; e < node_of.size(); ++e) {
      ++out_.count[e * z(out_.nodes) + z(node_of[e])];
      --free_[z(node_of[e])];
    }
    MOESIM_LAW(std::ranges::all_of(free_, [](int f) { return f >= 0; }),
               "a node holds the experts divided to it");
    total_speed_ = std::accumulate(rules.node_speed.begin(), rules.node_speed.end(), 0.0);
    total_load_ = std::accumulate(load.begin(), load.end(), 0.0);
    node_load_ = out_.loads(load);
    company_.measure(out_);
  }

  NodeReplicas run() {
    while (relieve_hottest_node()) {
    }
    fill_up();
    return std::move(out_);
  }

 private:
  [[nodiscard]] double target(int node) const {
    return total_load_ * rules_.node_speed[z(node)] / total_speed_;
  }
  [[nodiscard]] double excess(int node) const {
    return node_load_[z(node)] - target(node) * (1 + rules_.slack);
  }
  [[nodiscard]] int held(int expert, int node) const {
    return out_.count[z(expert) * z(out_.nodes) + z(node)];
  }
  // What one more replica of the expert takes from `from`.
  [[nodiscard]] double relief(int expert, int from) const {
    const int total = out_.total(expert);
    return load_[z(expert)] * held(expert, from) * (1.0 / total - 1.0 / (total + 1));
  }

  // One replica to another node: the one with the least traffic per load taken off the node
  // that is furthest over its target. False if no node is over it or nothing helps.
  bool relieve_hottest_node() {
    int hot = 0;
    for (int n = 1; n < out_.nodes; ++n) {
      if (excess(n) > excess(hot)) hot = n;
    }
    if (excess(hot) <= 0) return false;
    int best_expert = -1;
    int best_node = -1;
    double best_cost = std::numeric_limits<double>::infinity();
    for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
      if (held(e, hot) == 0 || load_[z(e)] <= 0) continue;
      const double gain = relief(e, hot);
      const double moved = load_[z(e)] / (out_.total(e) + 1);
      for (int n = 0; n < out_.nodes; ++n) {
        if (n == hot || free_[z(n)] == 0) continue;
        const double room = target(n) * (1 + rules_.slack) - node_load_[z(n)];
        if (moved > room) continue;
        // A slot is dear too: small reliefs use them up.
        const double useful = std::min(gain, excess(hot));
        const double cost =
            (company_.detour(e, hot, n) * moved + kSlotPrice * mean_expert()) / useful;
        if (cost >= best_cost) continue;
        best_cost = cost;
        best_expert = e;
        best_node = n;
      }
    }
    if (best_expert < 0) return false;
    add(best_expert, best_node);
    return true;
  }

  [[nodiscard]] double mean_expert() const {
    return total_load_ / static_cast<double>(load_.size());
  }

  void add(int expert, int node) {
    ++out_.count[z(expert) * z(out_.nodes) + z(node)];
    --free_[z(node)];
    node_load_ = out_.loads(load_);
  }

  // Slots left: on each node the expert with the highest load per replica.
  void fill_up() {
    for (int n = 0; n < out_.nodes; ++n) {
      while (free_[z(n)] > 0) {
        int best = -1;
        double best_load = -1;
        for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
          if (held(e, n) == 0) continue;
          const double each = load_[z(e)] / out_.total(e);
          // A replica more here draws load from the expert's other nodes.
          const double drawn =
              each - load_[z(e)] * held(e, n) / out_.total(e) / (out_.total(e) + 1);
          const bool local = held(e, n) == out_.total(e);
          if (!local && drawn > -excess(n)) continue;
          if (each > best_load) {
            best = e;
            best_load = each;
          }
        }
        if (best < 0) best = any_on(n);
        add(best, n);
      }
    }
  }

  [[nodiscard]] int any_on(int node) const {
    for (int e = 0; e < static_cast<int>(load_.size()); ++e) {
      if (held(e, node) > 0) return e;
    }
    return 0;  // a node with no expert at all takes the first
  }

  static constexpr double kSlotPrice = 0.05;

  std::span<const double> load_;
  ReplicaRules rules_;
  Company company_;
  NodeReplicas out_;
  std::vector<int> free_;  // [nodes]
  std::vector<double> node_load_;
  double total_speed_ = 0;
  double total_load_ = 0;
};

// Swaps one item of the busiest GPU of a node with one of another while that makes both less
// busy than the busiest was.
void swap_between(std::vector<std::vector<int>>& packs, std::span<const double> each,
                  std::span<const double> speed) {
  std::vector<double> time(packs.size());
  const auto time_of = [&](std::size_t g) {
    double load = 0;
    for (const int e : packs[g]) load += each[z(e)];
    return load / (speed.empty() ? 1.0 : speed[g]);
  };
  for (std::size_t g = 0; g < packs.size(); ++g) time[g] = time_of(g);
  const auto holds = [&](std::size_t g, int e) {
    return std::ranges::find(packs[g], e) != packs[g].end();
  };
  constexpr int kMostSwaps = 200;
  for (int round = 0; round < kMostSwaps; ++round) {
    const auto hot = static_cast<std::size_t>(std::ranges::max_element(time) - time.begin());
    double best = time[hot] * (1 - 1e-9);
    std::size_t best_gpu = packs.size();
    std::size_t best_i = 0;
    std::size_t best_j = 0;
    for (std::size_t g = 0; g < packs.size(); ++g) {
      if (g == hot) continue;
      for (std::size_t i = 0; i < packs[hot].size(); ++i) {
        for (std::size_t j = 0; j < packs[g].size(); ++j) {
          const int a = packs[hot][i];
          const int b = packs[g][j];
          const double change = each[z(a)] - each[z(b)];
          if (change <= 0 || holds(g, a) || holds(hot, b)) continue;
          const double after = std::max(time[hot] - change / (speed.empty() ? 1.0 : speed[hot]),
                                        time[g] + change / (speed.empty() ? 1.0 : speed[g]));
          if (after >= best) continue;
          best = after;
          best_gpu = g;
          best_i = i;
          best_j = j;
        }
      }
    }
    if (best_gpu == packs.size()) return;
    std::swap(packs[hot][best_i], packs[best_gpu][best_j]);
    time[hot] = time_of(hot);
    time[best_gpu] = time_of(best_gpu);
  }
}

}  // namespace

int NodeReplicas::total(int expert) const {
  const auto first = count.begin() + static_cast<long>(z(expert) * z(nodes));
  return std::accumulate(first, first + nodes, 0);
}

std::vector<double> NodeReplicas::shares() const {
  std::vector<double> share(count.size());
  for (std::size_t e = 0; e * z(nodes) < count.size(); ++e) {
    const double all = total(static_cast<int>(e));
    for (std::size_t n = 0; n < z(nodes); ++n) {
      share[e * z(nodes) + n] = count[e * z(nodes) + n] / all;
    }
  }
  return share;
}

std::vector<double> NodeReplicas::loads(std::span<const double> load) const {
  std::vector<double> loads(z(nodes), 0.0);
  const std::vector<double> share = shares();
  for (std::size_t i = 0; i < share.size(); ++i) {
    loads[i % z(nodes)] += load[i / z(nodes)] * share[i];
  }
  return loads;
}

NodeReplicas add_replicas(const TokenGraph& graph, std::span<const double> load,
                          std::span<const int> node_of, const ReplicaRules& rules) {
  return Replicator(graph, load, node_of, rules).run();
}

std::vector<std::vector<int>> pack_nodes(const NodeReplicas& replicas,
                                         std::span<const double> load, int gpus,
                                         int slots_per_gpu, std::span<const double> speed) {
  std::vector<double> each(load.size());  // load of one replica
  for (std::size_t e = 0; e < load.size(); ++e) {
    each[e] = load[e] / replicas.total(static_cast<int>(e));
  }
  const int per_node = gpus / replicas.nodes;
  std::vector<std::vector<int>> all;
  for (int n = 0; n < replicas.nodes; ++n) {
    std::vector<int> expert_of;
    std::vector<double> weight;
    for (std::size_t e = 0; e < load.size(); ++e) {
      for (int i = 0; i < replicas.count[e * z(replicas.nodes) + z(n)]; ++i) {
        expert_of.push_back(static_cast<int>(e));
        weight.push_back(each[e]);
      }
    }
    const std::vector<int> capacity(z(per_node), slots_per_gpu);
    const auto node_speed =
        speed.empty() ? speed : speed.subspan(z(n) * z(per_node), z(per_node));
    auto packs = pack_apart(weight, expert_of, capacity, node_speed, Duplicates::avoided);
    for (auto& pack : packs) {
      for (int& item : pack) item = expert_of[z(item)];
    }
    swap_between(packs, each, node_speed);
    all.insert(all.end(), packs.begin(), packs.end());
  }
  return all;
}

}  // namespace moesim
