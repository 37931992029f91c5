// GPUs one after the other, as engines number their ranks.
#pragma once

#include <span>
#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

// [count] `first` and those after it.
std::vector<GpuId> gpus_from(GpuId first, int count);

// [count][size] groups, one after the other.
std::vector<std::vector<GpuId>> groups_from(GpuId first, int size, int count);

// Of the GPU that has the least; `gpus` are not empty.
Bytes least_memory(const Cluster& cluster, std::span<const GpuId> gpus);

}  // namespace moesim
