// The event engine that the program uses.
#pragma once

#include "tools/walk/walk.hpp"

namespace moesim {

// SimGrid; its engine is one per process, so a process makes one run.
MakeMachine simgrid_engine();
// Timers only, as many as wanted.
MakeMachine analytic_engine();

}  // namespace moesim
