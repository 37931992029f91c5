#include "sim/serving/lost_experts.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// One layer while its lost experts find new places.
class Layer {
 public:
  Layer(const Placement& before, int layer, const std::vector<bool>& gone,
        std::span<const double> weights)
      : gone_(gone), weights_(weights), slots_(gone.size()), replicas_(weights.size(), 0) {
    const auto experts = before.slot_experts(layer);
    const auto gpus = before.slot_gpus(layer);
    for (std::size_t s = 0; s < experts.size(); ++s) {
      const auto g = static_cast<std::size_t>(gpus[s]);
      if (gone_[g]) continue;
      slots_[g].push_back(experts[s]);
      ++replicas_[static_cast<std::size_t>(experts[s])];
    }
  }

  // The heaviest first.
  void settle_lost() {
    std::vector<int> lost;
    for (std::size_t e = 0; e < replicas_.size(); ++e) {
      if (replicas_[e] == 0) lost.push_back(static_cast<int>(e));
    }
    std::ranges::stable_sort(lost, [&](int a, int b) { return weight(a) > weight(b); });
    for (const int e : lost) {
      if (!replace_redundant(e)) add_slot(e);
      replicas_[static_cast<std::size_t>(e)] = 1;
    }
  }

  [[nodiscard]] const std::vector<std::vector<int>>& slots() const { return slots_; }

 private:
  [[nodiscard]] double weight(int e) const { return weights_[static_cast<std::size_t>(e)]; }
  [[nodiscard]] double load(std::size_t gpu) const {
    double sum = 0;
    for (const int e : slots_[gpu]) {
      sum += weight(e) / std::max(1, replicas_[static_cast<std::size_t>(e)]);
    }
    return sum;
  }

  bool replace_redundant(int expert) {
    int* best = nullptr;
    double least = 0;
    for (std::size_t g = 0; g < slots_.size(); ++g) {
      for (int& e : slots_[g]) {
        const int replicas = replicas_[static_cast<std::size_t>(e)];
        if (replicas < 2) continue;
        const double left = load(g) - weight(e) / replicas;
        if (best != nullptr && left >= least) continue;
        best = &e;
        least = left;
      }
    }
    if (best == nullptr) return false;
    --replicas_[static_cast<std::size_t>(*best)];
    *best = expert;
    return true;
  }

  void add_slot(int expert) {
    std::size_t best = slots_.size();
    const auto rank = [&](std::size_t g) { return std::pair{slots_[g].size(), load(g)}; };
    for (std::size_t g = 0; g < slots_.size(); ++g) {
      if (gone_[g]) continue;
      if (best == slots_.size() || rank(g) < rank(best)) best = g;
    }
    MOESIM_LAW(best < slots_.size(), "lost experts are placed while a GPU is left");
    slots_[best].push_back(expert);
  }

  const std::vector<bool>& gone_;
  std::span<const double> weights_;
  std::vector<std::vector<int>> slots_;  // [gpus] experts
  std::vector<int> replicas_;            // [experts]
};

}  // namespace

Placement placement_without(const Placement& before, const std::vector<bool>& gone,
                            std::span<const double> weights) {
  std::vector<std::vector<int>> maps;
  std::vector<std::vector<int>> counts;
  const auto experts = static_cast<std::size_t>(before.experts);
  for (int l = 0; l < before.layers; ++l) {
    Layer layer(before, l, gone,
                weights.subspan(static_cast<std::size_t>(l) * experts, experts));
    layer.settle_lost();
    auto& map = maps.emplace_back();
    auto& count = counts.emplace_back();
    for (const std::vector<int>& slots : layer.slots()) {
      map.insert(map.end(), slots.begin(), slots.end());
      count.push_back(static_cast<int>(slots.size()));
    }
  }
  return placement_of_layers(before.experts, before.nodes, before.gpus, maps, counts);
}

int most_slots(const Placement& placement) {
  int most = 0;
  for (int l = 0; l < placement.layers; ++l) {
    const auto begin = placement.gpu_slots(l);
    for (std::size_t g = 1; g < begin.size(); ++g) {
      most = std::max(most, begin[g] - begin[g - 1]);
    }
  }
  return most;
}

}  // namespace moesim
