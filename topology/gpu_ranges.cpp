#include "topology/gpu_ranges.hpp"

#include <algorithm>

namespace moesim {

std::vector<GpuId> gpus_from(GpuId first, int count) {
  std::vector<GpuId> gpus;
  for (int g = 0; g < count; ++g) gpus.emplace_back(first.value + g);
  return gpus;
}

std::vector<std::vector<GpuId>> groups_from(GpuId first, int size, int count) {
  std::vector<std::vector<GpuId>> groups;
  for (int g = 0; g < count; ++g) {
    groups.push_back(gpus_from(GpuId{first.value + g * size}, size));
  }
  return groups;
}

Bytes least_memory(const Cluster& cluster, std::span<const GpuId> gpus) {
  Bytes least = cluster.gpu(gpus.front()).memory;
  for (const GpuId gpu : gpus) least = std::min(least, cluster.gpu(gpu).memory);
  return least;
}

}  // namespace moesim
