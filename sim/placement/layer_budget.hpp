// The replica budget spread over layers by need instead of evenly.
#pragma once

#include <vector>

#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim {

// Slots of each layer [layers]: multiples of the GPUs, at least one per expert, layers * slots
// in all. Each further row of slots (one per GPU) goes to the layer whose load bound, as a
// share of its mean GPU load, falls most.
std::vector<int> slots_by_need(const PlacementProblem& problem);

// One layer of the problem with other slots; weights, windows and samples of that layer. It
// views the problem, which must outlive it.
PlacementProblem one_layer(const PlacementProblem& problem, int layer, int slots);

}  // namespace moesim
