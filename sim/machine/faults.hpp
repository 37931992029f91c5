// Links that lose bandwidth for a while, on any machine and in the middle of a collective.
#pragma once

#include <string_view>

#include "sim/machine/machine.hpp"

namespace moesim {

// At `at`, every link that `target` names (topology/targets.hpp) keeps `fraction` of its
// bandwidth; 0 is down. After `lasts` it has all of it again; negative: never. Of faults that
// overlap on a link the last change counts.
// Throws InputError for an unknown target, or a fraction that is not in [0, 1].
void schedule_link_fault(Machine& machine, const Cluster& cluster, std::string_view target,
                         double fraction, Seconds at, Seconds lasts);

}  // namespace moesim
