// Several GPUs send at once, each to a partner of its own: activations from one pipeline stage
// to the next.
//
//   time = longest latency + max over links of (bytes of all pairs over it) / bandwidth
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "sim/machine/ledger.hpp"
#include "topology/cluster.hpp"

namespace moesim {

class PairTransfer {
 public:
  // GPU `from[i]` sends to `to[i]`. The cluster outlives this.
  PairTransfer(const Cluster& cluster, std::vector<GpuId> from, std::vector<GpuId> to);

  // Every pair sends `each`.
  [[nodiscard]] Seconds time(Bytes each) const;
  // [pairs] bytes that each has sent.
  void account(std::span<const double> bytes, LinkLedger& ledger) const;

 private:
  void walk() const;  // when links went down or came back since

  const Cluster* cluster_;
  std::vector<GpuId> from_;
  std::vector<GpuId> to_;
  mutable int reroutes_ = -1;  // Cluster::reroutes of the last walk
  mutable Seconds latency_{0};
  mutable std::vector<std::vector<LinkId>> links_;        // [pairs]
  mutable std::vector<std::pair<LinkId, double>> share_;  // of each link, the pairs over it
};

}  // namespace moesim
