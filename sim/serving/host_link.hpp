// The way between a GPU and its host's memory.
#pragma once

#include "topology/cluster.hpp"

namespace moesim {

// Of a GPU whose PCIe bandwidth is not told: PCIe 5.0 x16 as copies reach it.
inline constexpr BytesPerSecond kHostBandwidth{50e9};

inline BytesPerSecond host_bandwidth(const Cluster& cluster, GpuId gpu) {
  const BytesPerSecond pcie = cluster.group_of(gpu).node.pcie_bandwidth;
  return pcie.value > 0 ? pcie : kHostBandwidth;
}

}  // namespace moesim
