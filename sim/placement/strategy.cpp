#include "sim/placement/strategy.hpp"

#include <array>

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
    Entry<PlacementStrategy>{"hypergraph",
                             "few nodes per token, replicas across nodes only for balance",
                             strategies::hypergraph},
    Entry<PlacementStrategy>{"external", "a program: problem on stdin, placement on stdout",
                             strategies::external},
    Entry<PlacementStrategy>{"file", "a map written by SGLang, vLLM or an earlier run",
                             strategies::file},
};

}  // namespace

std::span<const Entry<PlacementStrategy>> placement_strategies() { return kStrategies; }

Placement place(const PlacementProblem& problem, const PlacementOptions& options) {
  validate(problem);
  const auto& entry =
      find_entry(placement_strategies(), options.strategy, "placement strategy");
  Placement wanted = entry.make(problem, options);
  return problem.previous.empty() ? wanted : migrate_within_budget(problem, wanted);
}

}  // namespace moesim
