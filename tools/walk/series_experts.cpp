#include <algorithm>

#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

constexpr std::size_t kSlotsKept = 60'000;  // of the placement map, all layers together

// Tokens of the experts of one layer, and their sum.
struct LayerTokens {
  std::vector<double> of;  // [experts]
  double sum = 0;
};

LayerTokens tokens_of(const MoeStep& moe, std::size_t layer) {
  const auto experts = static_cast<std::size_t>(moe.placement().experts);
  LayerTokens tokens;
  for (std::size_t e = 0; e < experts; ++e) {
    tokens.of.push_back(static_cast<double>(moe.totals().tokens[layer * experts + e]));
    tokens.sum += tokens.of.back();
  }
  return tokens;
}

Grid load_map(const char* rows, std::size_t size, std::size_t layers) {
  return {{rows, "", size, 0, 1, {}},
          {"MoE layer", "", layers, 0, 1, {}},
          "load over the layer's mean",
          "ratio",
          std::vector<double>(size * layers, 0.0)};
}

void collect_loads(const MoeStep& moe, ReportSeries& series) {
  const Placement& placement = moe.placement();
  const auto layers = static_cast<std::size_t>(placement.layers);
  const auto experts = static_cast<std::size_t>(placement.experts);
  const auto ranks = static_cast<std::size_t>(placement.gpus);
  series.expert_layer = load_map("expert", experts, layers);
  series.gpu_layer = load_map("expert rank", ranks, layers);
  for (std::size_t l = 0; l < layers; ++l) {
    const LayerTokens tokens = tokens_of(moe, l);
    if (tokens.sum <= 0) continue;
    const int layer = static_cast<int>(l);
    for (std::size_t e = 0; e < experts; ++e) {
      const double share = tokens.of[e] / tokens.sum;
      series.expert_layer.at(e, l) = share * static_cast<double>(experts);
      const auto slots = placement.replicas(layer, static_cast<int>(e));
      for (const int slot : slots) {
        const int gpu = placement.slot_gpus(layer)[static_cast<std::size_t>(slot)];
        series.gpu_layer.at(static_cast<std::size_t>(gpu), l) +=
            share * static_cast<double>(ranks) / static_cast<double>(slots.size());
      }
    }
  }
}

// Slots of the fullest rank of any layer: what one row of the map holds.
std::size_t most_slots(const Placement& placement) {
  std::size_t most = 0;
  for (int layer = 0; layer < placement.layers; ++layer) {
    std::vector<std::size_t> held(static_cast<std::size_t>(placement.gpus), 0);
    for (const int gpu : placement.slot_gpus(layer)) {
      if (gpu < 0) continue;
      most = std::max(most, ++held[static_cast<std::size_t>(gpu)]);
    }
  }
  return most;
}

// One layer: experts into the slots of their ranks, in the order of their numbers.
void add_layer(const MoeStep& moe, int layer, PlacementMap& map) {
  const Placement& placement = moe.placement();
  const LayerTokens tokens = tokens_of(moe, static_cast<std::size_t>(layer));
  const std::size_t first = map.expert.size();
  const std::size_t each = map.gpus * map.slots;
  map.expert.resize(first + each, -1);
  map.load.resize(first + each, 0.0);
  std::vector<std::size_t> held(map.gpus, 0);
  for (int e = 0; e < placement.experts; ++e) {
    const auto slots = placement.replicas(layer, e);
    for (const int slot : slots) {
      const auto gpu =
          static_cast<std::size_t>(placement.slot_gpus(layer)[static_cast<std::size_t>(slot)]);
      const std::size_t at = first + gpu * map.slots + held[gpu]++;
      map.expert[at] = e;
      if (tokens.sum > 0) {
        map.load[at] = tokens.of[static_cast<std::size_t>(e)] / tokens.sum *
                       static_cast<double>(each) / static_cast<double>(slots.size());
      }
    }
  }
  map.layers.push_back(layer);
}

void collect_placement(const Cluster& cluster, int gpus_per_rank, const MoeStep& moe,
                       ReportSeries& series) {
  const Placement& placement = moe.placement();
  PlacementMap& map = series.placement;
  map.gpus = static_cast<std::size_t>(placement.gpus);
  map.experts = static_cast<std::size_t>(placement.experts);
  map.slots = most_slots(placement);
  const int per_node = cluster.groups().front().node.gpus;
  map.gpus_per_node = static_cast<std::size_t>(
      std::clamp(per_node / std::max(1, gpus_per_rank), 1, placement.gpus));
  const std::size_t each = std::max<std::size_t>(1, map.gpus * map.slots);
  const auto stride =
      static_cast<int>(1 + static_cast<std::size_t>(placement.layers) * each / kSlotsKept);
  for (int layer = 0; layer < placement.layers; layer += stride) add_layer(moe, layer, map);
}

}  // namespace

void collect_experts(const Cluster& cluster, int gpus_per_rank, const MoeStep* moe,
                     ReportSeries& series) {
  if (moe == nullptr) return;
  collect_loads(*moe, series);
  collect_placement(cluster, gpus_per_rank, *moe, series);
}

}  // namespace moesim
