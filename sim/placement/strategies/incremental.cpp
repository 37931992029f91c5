// From the placement in force, as few changes as do most: again and again, in the layer that is
// furthest from balance, the best of
//   - swap an expert of the hottest GPU with one of another GPU (two copies), or
//   - turn a redundant replica on another GPU into one of the hottest GPU's experts (one copy),
// until nothing gains a thousandth of the mean or the migration budget is spent. Everything
// else stays in its slot. Without a placement in force: EPLB.
#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

struct Change {
  int first = -1;   // slot of the hottest GPU that is swapped; -1: none, a replica is turned
  int second = -1;  // slot on the other GPU; -1: no change found
  int expert = -1;  // what the second slot gets
  int copies = 0;
  double gain = 0;  // of the busiest GPU's time
};

class LayerWalk {
 public:
  LayerWalk(const PlacementProblem& problem, int layer)
      : p_(problem),
        load_(problem.layer_weights(layer)),
        map_(problem.previous.begin() + static_cast<long>(z(layer) * z(problem.slots)),
             problem.previous.begin() + static_cast<long>(z(layer + 1) * z(problem.slots))) {
    mean_ = std::accumulate(load_.begin(), load_.end(), 0.0) / p_.gpus;
    measure();
  }

  [[nodiscard]] const std::vector<int>& map() const { return map_; }
  [[nodiscard]] double imbalance() const { return mean_ > 0 ? peak() / mean_ : 0.0; }

  // The change with most gain per copy; copies = 0 if none is worth it.
  Change best_change() {
    Change best;
    const int hot = hottest();
    const double before = peak();
    for (int i = begin(hot); i < begin(hot + 1); ++i) {
      for (int j = 0; j < p_.slots; ++j) {
        if (gpu(j) == hot) continue;
        consider_swap(i, j, before, best);
        consider_turn(i, j, before, best);
      }
    }
    return best.gain > 1e-3 * mean_ ? best : Change{};
  }

  void apply(const Change& change) {
    if (change.first >= 0) map_[z(change.first)] = map_[z(change.second)];
    map_[z(change.second)] = change.expert;
    measure();
  }

 private:
  [[nodiscard]] int begin(int g) const { return g * p_.slots_per_gpu(); }
  [[nodiscard]] int gpu(int slot) const { return slot / p_.slots_per_gpu(); }
  [[nodiscard]] double each(int expert) const { return load_[z(expert)] / count_[z(expert)]; }
  [[nodiscard]] double peak() const { return *std::ranges::max_element(time_); }
  [[nodiscard]] int hottest() const {
    return static_cast<int>(std::ranges::max_element(time_) - time_.begin());
  }
  [[nodiscard]] bool holds(int g, int expert) const {
    const auto first = map_.begin() + begin(g);
    return std::find(first, first + p_.slots_per_gpu(), expert) != first + p_.slots_per_gpu();
  }

  void measure() {
    count_.assign(z(p_.experts), 0);
    for (const int e : map_) ++count_[z(e)];
    time_.assign(z(p_.gpus), 0.0);
    for (int s = 0; s < p_.slots; ++s) {
      time_[z(gpu(s))] += each(map_[z(s)]) / p_.speed(gpu(s));
    }
  }

  void consider_swap(int i, int j, double before, Change& best) const {
    const int a = map_[z(i)];
    const int b = map_[z(j)];
    const double change = each(a) - each(b);
    if (change <= 0 || holds(gpu(j), a) || holds(gpu(i), b)) return;
    const double after = std::max(time_[z(gpu(i))] - change / p_.speed(gpu(i)),
                                  time_[z(gpu(j))] + change / p_.speed(gpu(j)));
    keep_better({i, j, a, 2, before - after}, best);
  }

  void consider_turn(int i, int j, double before, Change& best) const {
    const int a = map_[z(i)];
    const int b = map_[z(j)];
    if (count_[z(b)] < 2 || a == b || holds(gpu(j), a)) return;
    // Only the GPUs that hold a or b change; the hottest must get cooler by it.
    std::vector<double> time = time_;
    const double less = each(a) - load_[z(a)] / (count_[z(a)] + 1);
    const double more = load_[z(b)] / (count_[z(b)] - 1) - each(b);
    for (int s = 0; s < p_.slots; ++s) {
      if (s == j) continue;
      if (map_[z(s)] == a) time[z(gpu(s))] -= less / p_.speed(gpu(s));
      if (map_[z(s)] == b) time[z(gpu(s))] += more / p_.speed(gpu(s));
    }
    time[z(gpu(j))] += (load_[z(a)] / (count_[z(a)] + 1) - each(b)) / p_.speed(gpu(j));
    keep_better({-1, j, a, 1, before - *std::ranges::max_element(time)}, best);
  }

  static void keep_better(const Change& change, Change& best) {
    const bool first = best.copies == 0;
    if (change.gain > 0 && (first || change.gain * best.copies > best.gain * change.copies)) {
      best = change;
    }
  }

  const PlacementProblem& p_;
  std::span<const double> load_;
  std::vector<int> map_;      // [slots]
  std::vector<int> count_;    // [experts]
  std::vector<double> time_;  // [gpus]
  double mean_ = 0;
};

}  // namespace

Placement incremental(const PlacementProblem& p, const PlacementOptions& options) {
  if (p.previous.empty()) return eplb(p, options);
  std::vector<LayerWalk> layers;
  for (int l = 0; l < p.layers; ++l) layers.emplace_back(p, l);
  std::vector<char> settled(layers.size(), 0);
  int left = p.migration_budget.value_or(p.layers * p.slots);
  while (left > 0) {
    int worst = -1;
    for (int l = 0; l < p.layers; ++l) {
      if (settled[z(l)]) continue;
      if (worst < 0 || layers[z(l)].imbalance() > layers[z(worst)].imbalance()) worst = l;
    }
    if (worst < 0) break;
    const Change change = layers[z(worst)].best_change();
    if (change.copies == 0 || change.copies > left) {
      settled[z(worst)] = 1;
      continue;
    }
    layers[z(worst)].apply(change);
    left -= change.copies;
  }
  std::vector<int> map;
  for (const auto& layer : layers)
    map.insert(map.end(), layer.map().begin(), layer.map().end());
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
