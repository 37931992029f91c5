#include "sim/placement/rebalance.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

std::span<const int> of_gpu(const Placement& p, int layer, int gpu) {
  const auto begin = p.gpu_slots(layer);
  return p.slot_experts(layer).subspan(z(begin[z(gpu)]), z(begin[z(gpu) + 1] - begin[z(gpu)]));
}

// The GPU to ask: own node first, then the least asked, then the lowest.
int nearest_holder(const Placement& before, int layer, int expert, int to,
                   const std::vector<int>& asked) {
  const auto gpus = before.slot_gpus(layer);
  int best = -1;
  const auto rank = [&](int g) {
    return std::pair{before.node_of(g) != before.node_of(to), asked[z(g)]};
  };
  for (const int s : before.replicas(layer, expert)) {
    const int g = gpus[z(s)];
    if (best < 0 || rank(g) < rank(best)) best = g;
  }
  return best;
}

std::vector<MigrationCopy> layer_copies(const Placement& before, const Placement& next,
                                        int layer, bool from_host, std::vector<int>& asked) {
  std::vector<MigrationCopy> copies;
  for (int g = 0; g < next.gpus; ++g) {
    const auto had = of_gpu(before, layer, g);
    const auto wanted = of_gpu(next, layer, g);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const int e = wanted[i];
      const auto earlier = wanted.first(i);
      if (std::ranges::find(had, e) != had.end() ||
          std::ranges::find(earlier, e) != earlier.end()) {
        continue;
      }
      const int from = from_host ? g : nearest_holder(before, layer, e, g, asked);
      if (!from_host) ++asked[z(from)];
      copies.push_back({layer, e, from, g});
    }
  }
  return copies;
}

// Most experts that one GPU receives.
int most_received(const std::vector<MigrationCopy>& copies, int gpus) {
  std::vector<int> received(z(gpus), 0);
  for (const MigrationCopy& copy : copies) ++received[z(copy.to)];
  return received.empty() ? 0 : *std::ranges::max_element(received);
}

}  // namespace

bool rebalance_due(const RebalanceOptions& options, int step, double balancedness) {
  if (options.every_steps > 0 && step >= options.every_steps) return true;
  return options.below_balancedness > 0 && balancedness < options.below_balancedness;
}

std::vector<MigrationStage> migration_stages(const RebalanceOptions& options,
                                             const Placement& before, const Placement& next,
                                             Bytes expert_bytes) {
  MOESIM_LAW(before.layers == next.layers && before.gpus == next.gpus,
             "placements to move between are of one model on one machine");
  const bool layerwise = options.migration == "layerwise";
  std::vector<int> asked(z(before.gpus), 0);
  std::vector<MigrationStage> stages;
  for (int l = 0; l < next.layers; ++l) {
    const auto copies = layer_copies(before, next, l, options.source == "host", asked);
    const auto fits = [&](const MigrationStage& stage) {
      auto all = stage.copies;
      all.insert(all.end(), copies.begin(), copies.end());
      return expert_bytes * most_received(all, next.gpus) <= options.budget_per_step;
    };
    if (stages.empty() || (layerwise && !fits(stages.back()))) {
      stages.emplace_back().stalls = options.migration == "bulk";
    }
    MigrationStage& stage = stages.back();
    stage.layers.push_back(l);
    stage.copies.insert(stage.copies.end(), copies.begin(), copies.end());
  }
  for (MigrationStage& stage : stages) {
    const Bytes most = expert_bytes * most_received(stage.copies, next.gpus);
    if (layerwise && most > options.budget_per_step) {
      stage.steps = static_cast<int>(std::ceil(most / options.budget_per_step));
    }
  }
  return stages;
}

Placement with_layers(const Placement& before, const Placement& next,
                      const std::vector<int>& layers) {
  std::vector<std::vector<int>> maps;
  std::vector<std::vector<int>> counts;
  for (int l = 0; l < before.layers; ++l) {
    const bool moved = std::ranges::find(layers, l) != layers.end();
    const Placement& from = moved ? next : before;
    const auto experts = from.slot_experts(l);
    maps.emplace_back(experts.begin(), experts.end());
    auto& count = counts.emplace_back();
    for (int g = 0; g < from.gpus; ++g) {
      count.push_back(static_cast<int>(of_gpu(from, l, g).size()));
    }
  }
  return placement_of_layers(before.experts, before.nodes, before.gpus, maps, counts);
}

}  // namespace moesim
