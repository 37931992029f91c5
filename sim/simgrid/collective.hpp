// The two models that ask SimGrid. Each call runs in a child process, because SimGrid's engine
// is one per process: milliseconds, for checking the others and for odd networks, not for
// every layer of every step.
#pragma once

#include "sim/machine/collective.hpp"

namespace moesim {

// All models by name: those of sim/machine and simgrid_links, simgrid_flows.
std::span<const Entry<MakeCollectiveModel>> all_collective_models();

}  // namespace moesim
