// What serving engines add to their kernels: figures that no kernel table holds.
#pragma once

#include <string>

#include "calibrate/profile.hpp"

namespace moesim {

// Fitted to measured serving points (see calibrate/README.md, "Engines"); an engine that is not
// among them gets the middle of the others, assumed.
HostOverhead engine_host(const std::string& engine);

}  // namespace moesim
