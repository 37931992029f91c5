// What is wrong with a [traffic] section, all of it at once.
#pragma once

#include "sim/base/diagnostics.hpp"
#include "sim/workload/options.hpp"

namespace moesim {

// Adds one diagnostic per fault; its message begins with the key. The place is left empty.
void check(const TrafficOptions& traffic, Diagnostics& found);

}  // namespace moesim
