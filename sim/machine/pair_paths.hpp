// The links between every two GPUs of a group, walked once: what models read that look at
// flows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

class PairPaths {
 public:
  // [gpus * gpus] paths as they are now. Throws InputError when two GPUs are cut off.
  void walk(const Cluster& cluster, std::span<const GpuId> gpus);

  // Walked, and no link went down or came back since.
  [[nodiscard]] bool holds(const Cluster& cluster) const {
    return !first_.empty() && reroutes_ == cluster.reroutes();
  }
  // Link numbers from rank s to rank d, pair = s * ranks + d.
  [[nodiscard]] std::span<const std::uint32_t> links(std::size_t pair) const {
    return {links_.data() + first_[pair], first_[pair + 1] - first_[pair]};
  }
  [[nodiscard]] std::uint32_t first(std::size_t pair) const { return first_[pair]; }
  [[nodiscard]] const std::uint32_t* all_links() const { return links_.data(); }
  [[nodiscard]] Seconds latency(std::size_t pair) const { return latency_[pair]; }

 private:
  std::vector<std::uint32_t> first_;  // [pairs + 1] into links_
  std::vector<std::uint32_t> links_;
  std::vector<Seconds> latency_;  // [pairs]
  int reroutes_ = 0;
};

}  // namespace moesim
