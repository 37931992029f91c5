#include "sim/placement/strategy.hpp"

#include <array>

#include "sim/placement/layer_budget.hpp"
#include "sim/placement/migration.hpp"
#include "sim/placement/strategies/strategies.hpp"

namespace moesim {

namespace {

constexpr std::array kStrategies = {
    Entry<PlacementStrategy>{"linear", "experts in order over the slots", strategies::linear},
    Entry<PlacementStrategy>{"round_robin", "expert e on GPU e mod gpus",
                             strategies::round_robin},
    Entry<PlacementStrategy>{"eplb", "published balancer; hierarchical where groups allow",
                             strategies::eplb},
    Entry<PlacementStrategy>{"eplb_hierarchical", "published balancer, groups kept on a node",
                             strategies::eplb_hierarchical},
    Entry<PlacementStrategy>{"eplb_global", "published balancer over all GPUs at once",
                             strategies::eplb_global},
    Entry<PlacementStrategy>{"eplb_multistep", "least sum of busiest GPUs over past windows",
                             strategies::eplb_multistep},
    Entry<PlacementStrategy>{"incremental", "few swaps from the placement in force",
                             strategies::incremental},
    Entry<PlacementStrategy>{"coactivation", "experts that tokens take together lie together",
                             strategies::coactivation},
    Entry<PlacementStrategy>{"layer_budget", "eplb, redundant slots to the layers in need",
                             strategies::layer_budget},
    Entry<PlacementStrategy>{"device_groups", "each layer whole on one node, in turn",
                             strategies::device_groups},
    Entry<PlacementStrategy>{"optimal", "the least busy GPU possible, for small cases (CBC)",
                             strategies::optimal},
    Entry<PlacementStrategy>{"hypergraph",
                             "few nodes per token, replicas across nodes only for balance",
                             strategies::hypergraph},
    Entry<PlacementStrategy>{"linked",
                             "replicas link the GPUs in a ring, so that lp can even out drift",
                             strategies::linked},
    Entry<PlacementStrategy>{"external", "a program: problem on stdin, placement on stdout",
                             strategies::external},
    Entry<PlacementStrategy>{"file", "a map written by SGLang, vLLM or an earlier run",
                             strategies::file},
};

}  // namespace

std::span<const Entry<PlacementStrategy>> placement_strategies() { return kStrategies; }

Placement place_by_need(const PlacementProblem& problem, const PlacementOptions& options) {
  const auto& entry =
      find_entry(placement_strategies(), options.strategy, "placement strategy");
  const std::vector<int> slots = slots_by_need(problem);
  std::vector<std::vector<int>> maps;
  std::vector<std::vector<int>> counts;
  for (int l = 0; l < problem.layers; ++l) {
    const auto i = static_cast<std::size_t>(l);
    const Placement one = entry.make(one_layer(problem, l, slots[i]), options);
    maps.push_back(one.physical_to_logical);
    const auto begin = one.gpu_slots(0);
    auto& count = counts.emplace_back();
    for (std::size_t g = 0; g + 1 < begin.size(); ++g) {
      count.push_back(begin[g + 1] - begin[g]);
    }
  }
  return placement_of_layers(problem.experts, problem.nodes, problem.gpus, maps, counts);
}

Placement place(const PlacementProblem& problem, const PlacementOptions& options) {
  validate(problem);
  const auto& entry =
      find_entry(placement_strategies(), options.strategy, "placement strategy");
  if (options.budget != "uniform" && options.budget != "layers") {
    throw InputError("unknown budget '" + options.budget + "'", "uniform or layers");
  }
  const Placement wanted = options.budget == "layers" ? place_by_need(problem, options)
                                                      : entry.make(problem, options);
  return problem.previous.empty() ? wanted : migrate_within_budget(problem, wanted);
}

}  // namespace moesim
