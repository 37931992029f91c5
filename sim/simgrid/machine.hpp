// The machine on SimGrid's event kernel: timers are kernel timers, a flow is a Comm that starts
// by a timer after its path's latency. Maestro only: no actors.
#pragma once

#include <memory>

#include "sim/machine/machine.hpp"
#include "sim/simgrid/platform.hpp"

namespace moesim {

// One per process (Platform says why). `cluster` outlives the machine.
std::unique_ptr<Machine> make_simgrid_machine(Cluster& cluster, Solver solver = Solver::lazy);

}  // namespace moesim
