#include "sim/machine/pair_paths.hpp"

namespace moesim {

void PairPaths::walk(const Cluster& cluster, std::span<const GpuId> gpus) {
  first_.assign(1, 0);
  links_.clear();
  latency_.clear();
  reroutes_ = cluster.reroutes();
  first_.reserve(gpus.size() * gpus.size() + 1);
  latency_.reserve(gpus.size() * gpus.size());
  for (const GpuId src : gpus) {
    for (const GpuId dst : gpus) {
      const Path path = cluster.path(src, dst);
      for (const LinkId id : path.links()) {
        links_.push_back(static_cast<std::uint32_t>(id.value));
      }
      first_.push_back(static_cast<std::uint32_t>(links_.size()));
      latency_.push_back(path.latency);
    }
  }
}

}  // namespace moesim
