// From the placement in force to the wanted one, with as few copied experts as possible and
// never more than the budget.
#pragma once

#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim {

// The previous placement of the problem, which must have one.
Placement previous_placement(const PlacementProblem& problem);

// `wanted` with its experts in the slots that already hold them, GPU by GPU. Where that needs
// more copies than the budget allows, only some layers change: those that gain most per copied
// expert come first, a layer whole or not at all.
Placement migrate_within_budget(const PlacementProblem& problem, const Placement& wanted);

}  // namespace moesim
