#include "sim/placement/migration.hpp"

#include <algorithm>
#include <numeric>

#include "sim/base/errors.hpp"
#include "sim/placement/bounds.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

struct LayerChange {
  std::vector<int> map;     // wanted experts, kept ones in their old slots
  std::vector<int> counts;  // [gpus] slots of each GPU
  int copies = 0;
  double gain = 0;  // busiest GPU, previous minus wanted, as a share of the mean
};

// One GPU's slots: experts that stay keep their slot, the others fill what is left, in order.
std::vector<int> keep_slots(std::span<const int> before, std::span<const int> wanted) {
  std::vector<int> kept(wanted.size(), -1);
  std::vector<char> placed(wanted.size(), 0);
  for (std::size_t s = 0; s < std::min(before.size(), wanted.size()); ++s) {
    for (std::size_t w = 0; w < wanted.size(); ++w) {
      if (placed[w] || wanted[w] != before[s]) continue;
      kept[s] = wanted[w];
      placed[w] = 1;
      break;
    }
  }
  std::size_t free = 0;
  for (std::size_t w = 0; w < wanted.size(); ++w) {
    if (placed[w]) continue;
    while (kept[free] >= 0) ++free;
    kept[free] = wanted[w];
  }
  return kept;
}

int copies_to(std::span<const int> before, std::span<const int> wanted) {
  int copies = 0;
  for (std::size_t w = 0; w < wanted.size(); ++w) {
    const bool had = std::ranges::find(before, wanted[w]) != before.end();
    const bool counted = std::find(wanted.begin(), wanted.begin() + static_cast<long>(w),
                                   wanted[w]) != wanted.begin() + static_cast<long>(w);
    copies += !had && !counted;
  }
  return copies;
}

std::span<const int> of_gpu(const Placement& p, int layer, int gpu) {
  const auto begin = p.gpu_slots(layer);
  return p.slot_experts(layer).subspan(z(begin[z(gpu)]), z(begin[z(gpu) + 1] - begin[z(gpu)]));
}

LayerChange layer_change(const PlacementProblem& problem, const Placement& before,
                         const Placement& wanted, int layer) {
  LayerChange change;
  for (int g = 0; g < wanted.gpus; ++g) {
    const auto old_experts = of_gpu(before, layer, g);
    const auto new_experts = of_gpu(wanted, layer, g);
    change.copies += copies_to(old_experts, new_experts);
    for (const int e : keep_slots(old_experts, new_experts)) change.map.push_back(e);
    change.counts.push_back(static_cast<int>(new_experts.size()));
  }
  const auto weights = problem.layer_weights(layer);
  const double mean =
      std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(wanted.gpus);
  if (mean > 0) {
    change.gain = (busiest_gpu(before, layer, weights, problem.gpu_speed) -
                   busiest_gpu(wanted, layer, weights, problem.gpu_speed)) /
                  mean;
  }
  return change;
}

LayerChange no_change(const Placement& before, int layer) {
  LayerChange same;
  for (int g = 0; g < before.gpus; ++g) {
    const auto experts = of_gpu(before, layer, g);
    same.map.insert(same.map.end(), experts.begin(), experts.end());
    same.counts.push_back(static_cast<int>(experts.size()));
  }
  return same;
}

}  // namespace

Placement previous_placement(const PlacementProblem& p) {
  MOESIM_LAW(!p.previous.empty(), "there is a previous placement");
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, p.previous);
}

Placement migrate_within_budget(const PlacementProblem& problem, const Placement& wanted) {
  const Placement before = previous_placement(problem);
  std::vector<LayerChange> changes;
  for (int l = 0; l < wanted.layers; ++l) {
    changes.push_back(layer_change(problem, before, wanted, l));
  }
  if (problem.migration_budget) {
    std::vector<int> order(changes.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](int a, int b) {  // gain per copy, without dividing
      return changes[z(a)].gain * std::max(changes[z(b)].copies, 1) >
             changes[z(b)].gain * std::max(changes[z(a)].copies, 1);
    });
    int left = *problem.migration_budget;
    for (const int l : order) {
      if (changes[z(l)].copies > left) {
        changes[z(l)] = no_change(before, l);
      }
      left -= changes[z(l)].copies;
    }
  }
  std::vector<std::vector<int>> maps;
  std::vector<std::vector<int>> counts;
  int copies = 0;
  for (auto& change : changes) {
    copies += change.copies;
    maps.push_back(std::move(change.map));
    counts.push_back(std::move(change.counts));
  }
  MOESIM_LAW(!problem.migration_budget || copies <= *problem.migration_budget,
             "migration stays within its budget");
  return placement_of_layers(wanted.experts, wanted.nodes, wanted.gpus, maps, counts);
}

}  // namespace moesim
