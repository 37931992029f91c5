// Placement strategies by name. To add one: a file in strategies/ with a function of the type
// below, its declaration in strategies.hpp, one line in the table of strategy.cpp.
#pragma once

#include <span>

#include "sim/base/registry.hpp"
#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim {

// From a valid problem to a placement. Deterministic; ties go to the lowest index.
using PlacementStrategy = Placement (*)(const PlacementProblem&, const PlacementOptions&);

std::span<const Entry<PlacementStrategy>> placement_strategies();

// options.strategy layer by layer, with the redundant slots of all layers spread by need
// (slots_by_need); coactivation then cannot align layers. The problem must be valid.
Placement place_by_need(const PlacementProblem& problem, const PlacementOptions& options);

// Validates the problem, runs options.strategy (throws InputError for an unknown name), keeps
// experts in the slots they had where a previous placement is given, and holds the result to
// the migration budget.
Placement place(const PlacementProblem& problem, const PlacementOptions& options);

}  // namespace moesim
