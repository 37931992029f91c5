#include "sim/placement/layer_budget.hpp"

#include <algorithm>
#include <numeric>

#include "sim/placement/packing.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Busiest GPU / mean that EPLB's two greedy steps reach with so many slots.
double greedy_imbalance(const PlacementProblem& p, int layer, int slots) {
  const auto weights = p.layer_weights(layer);
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (total <= 0) return 1;
  const std::vector<int> counts = replica_counts(weights, slots);
  std::vector<double> each;
  for (std::size_t e = 0; e < weights.size(); ++e) {
    each.insert(each.end(), z(counts[e]), weights[e] / counts[e]);
  }
  const std::size_t size = z(slots / p.gpus);
  const auto packed = balanced_packing(each, p.gpus);
  double most = 0;
  for (std::size_t g = 0; g < z(p.gpus); ++g) {
    double load = 0;
    for (std::size_t i = 0; i < size; ++i) load += each[z(packed[g * size + i])];
    most = std::max(most, load / p.speed(static_cast<int>(g)));
  }
  return most / (total / p.gpus);
}

}  // namespace

std::vector<int> slots_by_need(const PlacementProblem& p) {
  const int least = (p.experts + p.gpus - 1) / p.gpus * p.gpus;
  std::vector<int> slots(z(p.layers), least);
  std::vector<double> gain;
  std::vector<double> now;
  for (int l = 0; l < p.layers; ++l) {
    now.push_back(greedy_imbalance(p, l, least));
    gain.push_back(now.back() - greedy_imbalance(p, l, least + p.gpus));
  }
  const int rows = p.layers * ((p.slots - least) / p.gpus);
  for (int row = 0; row < rows; ++row) {
    const auto l = std::ranges::max_element(gain) - gain.begin();
    const auto i = static_cast<std::size_t>(l);
    slots[i] += p.gpus;
    now[i] -= gain[i];
    gain[i] = now[i] - greedy_imbalance(p, static_cast<int>(l), slots[i] + p.gpus);
  }
  return slots;
}

PlacementProblem one_layer(const PlacementProblem& p, int layer, int slots) {
  PlacementProblem one;
  one.layers = 1;
  one.experts = p.experts;
  one.slots = slots;
  one.groups = p.groups;
  one.nodes = p.nodes;
  one.gpus = p.gpus;
  one.gpu_speed = p.gpu_speed;
  const auto weights = p.layer_weights(layer);
  one.weights.assign(weights.begin(), weights.end());
  for (int w = 0; w < p.window_count(); ++w) {
    const auto window = p.window_weights(w, layer);
    one.windows.insert(one.windows.end(), window.begin(), window.end());
  }
  if (!p.samples.empty()) one.samples.push_back(p.samples[z(layer)]);
  return one;
}

}  // namespace moesim
