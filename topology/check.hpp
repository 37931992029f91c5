// Faults of a [cluster] section that no fabric needs to know about.
#pragma once

#include "topology/options.hpp"

namespace moesim {

// `options.groups` is filled in. Throws InputError with all faults.
void check_cluster(const ClusterOptions& options);

}  // namespace moesim
