// Where experts go when GPUs of their EP group are gone.
#pragma once

#include <span>
#include <vector>

#include "sim/placement/placement.hpp"

namespace moesim {

// `before` without the slots of the ranks that are `gone` [gpus]; at least one is not. Replicas
// on other ranks take over. An expert that has none left replaces a redundant replica of
// another, on the rank with the least load; where every replica is the last one, it gets a slot
// more on the rank with the fewest. `weights` [layers * experts]: the load that decides.
Placement placement_without(const Placement& before, const std::vector<bool>& gone,
                            std::span<const double> weights);

// Most slots that any GPU has in any layer.
int most_slots(const Placement& placement);

}  // namespace moesim
