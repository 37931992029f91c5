// Experts of a run, whoever ran them: loads by layer and expert, and what a capacity dropped.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/placement/bounds.hpp"
#include "sim/router/load_metrics.hpp"
#include "tools/walk/collect_parts.hpp"

namespace moesim {

namespace {

// Tokens per (layer, expert) over all groups.
std::vector<double> expert_tokens(ExpertGroups groups) {
  std::vector<double> sum;
  for (const MoeStep* moe : groups) {
    const auto& tokens = moe->totals().tokens;
    sum.resize(tokens.size());
    for (std::size_t k = 0; k < tokens.size(); ++k) sum[k] += static_cast<double>(tokens[k]);
  }
  return sum;
}

struct LayerSums {
  double mean_tokens = 0;
  double most_tokens = 0;
  double dispatch = 0;
  double expert = 0;
  double combine = 0;
};

LayerSums layer_sums(ExpertGroups groups, std::size_t layer) {
  LayerSums sums;
  for (const MoeStep* moe : groups) {
    const ExpertTotals& totals = moe->totals();
    sums.mean_tokens += totals.layer_mean_tokens[layer];
    sums.most_tokens += totals.layer_most_tokens[layer];
    sums.dispatch += totals.layer_dispatch_s[layer];
    sums.expert += totals.layer_expert_s[layer];
    sums.combine += totals.layer_combine_s[layer];
  }
  return sums;
}

}  // namespace

void collect_layers(ExpertGroups groups, int gpus_per_rank, Result& result) {
  if (groups.empty()) return;
  const std::vector<double> tokens = expert_tokens(groups);
  const std::size_t layers = groups.front()->totals().layer_mean_tokens.size();
  const std::size_t experts = tokens.size() / layers;
  const double steps = static_cast<double>(std::max<std::int64_t>(1, result.steps));
  const Placement& placement = groups.front()->placement();
  double entropy = 0;
  double dead = 0;
  double bound = 0;
  for (std::size_t l = 0; l < layers; ++l) {
    const std::span<const double> of_layer(tokens.data() + l * experts, experts);
    const LoadMetrics load = measure_load(of_layer);
    const LayerSums sums = layer_sums(groups, l);
    LayerResult layer;
    layer.layer = static_cast<int>(l);
    if (sums.most_tokens > 0) layer.balancedness = sums.mean_tokens / sums.most_tokens;
    layer.entropy = load.entropy;
    layer.dead_experts = load.dead;
    layer.hottest_load = load.max_over_mean;
    layer.dispatch = Seconds{sums.dispatch / steps};
    layer.expert = Seconds{sums.expert / steps};
    layer.combine = Seconds{sums.combine / steps};
    result.layers.push_back(layer);
    result.balance.worst_balancedness =
        std::min(result.balance.worst_balancedness, layer.balancedness);
    result.balance.balancedness += layer.balancedness;
    entropy += load.entropy;
    dead += load.dead;
    const double mean = load.tokens / placement.gpus;
    if (mean > 0) {
      bound +=
          load_bound(of_layer, placement.layer_slots(static_cast<int>(l)), placement.gpus) /
          mean;
    }
    for (std::size_t e = 0; e < experts; ++e) {
      ExpertResult expert;
      expert.layer = static_cast<int>(l);
      expert.expert = static_cast<int>(e);
      const auto slots = placement.replicas(expert.layer, expert.expert);
      expert.replicas = static_cast<int>(slots.size());
      for (const int slot : slots) {
        const int rank = placement.slot_gpus(expert.layer)[static_cast<std::size_t>(slot)];
        expert.gpus +=
            fmt::format("{}{}", expert.gpus.empty() ? "" : " ", rank * gpus_per_rank);
      }
      expert.tokens = of_layer[e];
      expert.load =
          load.tokens > 0 ? of_layer[e] * static_cast<double>(experts) / load.tokens : 0;
      result.experts.push_back(expert);
    }
  }
  const double n = static_cast<double>(layers);
  result.balance.balancedness = (result.balance.balancedness - 1) / n;
  result.balance.router_entropy = entropy / n;
  result.balance.dead_experts = dead / n / static_cast<double>(experts);
  result.balance.lower_bound = bound / n;
  if (result.balance.balancedness > 0 && bound > 0) {
    result.balance.gap = 1 / (result.balance.balancedness * result.balance.lower_bound) - 1;
  }
}

// Of a token's k assignments in a layer one or more are lost with 1 - (1 - d)^k, d being the
// share of assignments that are.
void collect_overflow(ExpertGroups groups, int top_k, Result& result) {
  OverflowTotals all;
  for (const MoeStep* moe : groups) {
    const OverflowTotals& some = moe->totals().overflow;
    all.routed += some.routed;
    all.overflowed += some.overflowed;
    all.dropped += some.dropped;
  }
  if (all.routed == 0 || all.overflowed == 0) return;
  const auto share = [&](long part) {
    return static_cast<double>(part) / static_cast<double>(all.routed);
  };
  result.balance.overflow_rate = share(all.overflowed);
  result.balance.router_mass_lost += share(all.dropped);
  result.balance.dropped_token_rate = 1 - std::pow(1 - share(all.dropped), top_k);
  result.notes.push_back(fmt::format(
      "{:.2g} % of the assignments were beyond their expert's capacity; {:.2g} % of "
      "the tokens lost an expert in a layer",
      100 * result.balance.overflow_rate, 100 * result.balance.dropped_token_rate));
}

}  // namespace moesim
