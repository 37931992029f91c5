// One function per strategy, each in the file of its name.
#pragma once

#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim::strategies {

Placement linear(const PlacementProblem& problem, const PlacementOptions& options);
Placement round_robin(const PlacementProblem& problem, const PlacementOptions& options);
Placement eplb(const PlacementProblem& problem, const PlacementOptions& options);
Placement eplb_hierarchical(const PlacementProblem& problem, const PlacementOptions& options);
Placement eplb_global(const PlacementProblem& problem, const PlacementOptions& options);
Placement hypergraph(const PlacementProblem& problem, const PlacementOptions& options);
Placement external(const PlacementProblem& problem, const PlacementOptions& options);
Placement file(const PlacementProblem& problem, const PlacementOptions& options);
Placement eplb_multistep(const PlacementProblem& problem, const PlacementOptions& options);
Placement incremental(const PlacementProblem& problem, const PlacementOptions& options);
Placement coactivation(const PlacementProblem& problem, const PlacementOptions& options);
Placement layer_budget(const PlacementProblem& problem, const PlacementOptions& options);
Placement device_groups(const PlacementProblem& problem, const PlacementOptions& options);
Placement linked(const PlacementProblem& problem, const PlacementOptions& options);
Placement optimal(const PlacementProblem& problem, const PlacementOptions& options);

}  // namespace moesim::strategies
