// Two levels of switches: NICs to leaves, every leaf to every spine. Rails, leaf/spine trees
// and the scale-out side of NVLink domains are this with different NIC-to-leaf maps.
#pragma once

#include <cstdint>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim {

// Cable between a NIC and its switch: node3.nic1.up and .down.
void connect_nic(Graph& graph, Nic& nic, VertexId leaf, Seconds switch_latency);

// A hash that spreads consecutive flows (splitmix64's finalizer).
std::uint64_t mix(std::uint64_t flow);

class Clos : public Fabric {
 public:
  // leaf_of[nic]: 0 .. leaves-1. `rails`: leaves hold one rail each.
  Clos(const ClusterOptions& options, Graph& graph, std::span<Nic> nics,
       const std::vector<int>& leaf_of, bool rails);

  void between(const Nic& from, const Nic& to, std::uint64_t flow, Path& path) const override;
  [[nodiscard]] bool has_rails() const override { return rails_; }
  [[nodiscard]] bool is_nonblocking(bool aligned) const override;

 private:
  struct Uplink {
    LinkId up, down;
    Seconds latency{0};
  };
  [[nodiscard]] int leaf_of(const Nic& nic) const {
    return leaf_of_[static_cast<std::size_t>(nic.vertex.value - first_nic_)];
  }

  std::vector<int> leaf_of_;  // by NIC vertex
  int first_nic_ = 0;
  int leaves_ = 0;
  int spines_ = 0;
  bool rails_ = false;
  bool one_leaf_per_rail_ = false;
  bool full_ = false;            // no oversubscription, and no hash collisions
  std::vector<Uplink> uplinks_;  // [leaves * spines]
};

}  // namespace moesim
