// What a fault or a report means by a name.
#pragma once

#include <string_view>
#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

// "node5.nic1": both directions of its cable; "node5.gpu3" or "gpu43": all of the GPU's links;
// "node5": all links of the node; a switch ("leaf2"): all its links; a link: itself. Throws
// InputError with what is near.
std::vector<LinkId> links_named(const Cluster& cluster, std::string_view target);

// The GPUs that a name stands for: one GPU, or those of a node; empty for anything else.
std::vector<GpuId> gpus_named(const Cluster& cluster, std::string_view target);

}  // namespace moesim
