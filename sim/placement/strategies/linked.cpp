// Replicas as links of a walk over the GPUs, for dispatch that may choose among them (lp). What
// dispatch can even out is bound by the graph whose edges are experts with replicas on two
// GPUs: a GPU without an edge keeps its load whatever happens. EPLB's edges fall where packing
// puts them and leave such GPUs. Here they form a walk: the replicas of one expert lie on
// successive GPUs, the next expert starts where it ended, so that every `gpus` redundant slots
// link all GPUs in a ring. Counts are EPLB's; experts with one replica fill up, heaviest first.
// Ring neighbours are mostly on one node.
#include <algorithm>
#include <numeric>

#include "sim/placement/packing.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// One layer's GPUs while they fill up.
class Ring {
 public:
  Ring(const PlacementProblem& problem, int layer)
      : p_(problem),
        weights_(problem.layer_weights(layer)),
        counts_(replica_counts(weights_, problem.slots)),
        gpus_(z(problem.gpus)),
        load_(z(problem.gpus), 0.0) {
    order_.resize(z(problem.experts));
    std::iota(order_.begin(), order_.end(), 0);
    std::ranges::stable_sort(order_, [&](int a, int b) { return each(a) > each(b); });
  }

  std::vector<std::vector<int>> run() {
    walk();
    for (const int e : order_) {
      if (counts_[z(e)] == 1) put(e, lightest(e));
    }
    return std::move(gpus_);
  }

  [[nodiscard]] double each(int expert) const {
    return weights_[z(expert)] / counts_[z(expert)];
  }

 private:
  // Round n steps over every stride(n)-th GPU: later rounds link GPUs that are far apart.
  void walk() {
    int at = 0;
    int steps = 0;
    for (const int e : order_) {
      for (int c = 0; c < counts_[z(e)] && counts_[z(e)] > 1; ++c) {
        if (c > 0) at = (at + stride(steps++ / p_.gpus)) % p_.gpus;
        put(e, may_take(at, e) ? at : lightest(e));
      }
    }
  }

  // The first numbers coprime to the GPUs, so that every round visits all of them.
  [[nodiscard]] int stride(int round) const {
    int found = 0;
    for (int s = 1; s < p_.gpus; ++s) {
      if (std::gcd(s, p_.gpus) == 1 && found++ == round) return s;
    }
    return 1;
  }

  [[nodiscard]] bool holds(int gpu, int expert) const {
    return std::ranges::find(gpus_[z(gpu)], expert) != gpus_[z(gpu)].end();
  }
  [[nodiscard]] bool has_room(int gpu) const {
    return static_cast<int>(gpus_[z(gpu)].size()) < p_.slots_per_gpu();
  }
  [[nodiscard]] bool may_take(int gpu, int expert) const {
    return has_room(gpu) && !holds(gpu, expert);
  }

  // With room, without the expert if possible, and the least time after taking it.
  [[nodiscard]] int lightest(int expert) const {
    int best = -1;
    for (int g = 0; g < p_.gpus; ++g) {
      if (!has_room(g)) continue;
      if (best < 0 || std::pair(holds(g, expert), time(g, expert)) <
                          std::pair(holds(best, expert), time(best, expert))) {
        best = g;
      }
    }
    return best;
  }
  [[nodiscard]] double time(int gpu, int expert) const {
    return (load_[z(gpu)] + each(expert)) / p_.speed(gpu);
  }

  void put(int expert, int gpu) {
    gpus_[z(gpu)].push_back(expert);
    load_[z(gpu)] += each(expert);
  }

  const PlacementProblem& p_;
  std::span<const double> weights_;
  std::vector<int> counts_;
  std::vector<int> order_;  // experts by load per replica, highest first
  std::vector<std::vector<int>> gpus_;
  std::vector<double> load_;
};

}  // namespace

Placement linked(const PlacementProblem& p, const PlacementOptions&) {
  std::vector<int> map;
  map.reserve(z(p.layers) * z(p.slots));
  for (int l = 0; l < p.layers; ++l) {
    for (const auto& gpu : Ring(p, l).run()) map.insert(map.end(), gpu.begin(), gpu.end());
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
