// Bytes that the collectives of GroupCollectives put on links.
//
// As rings, which is how nccl-tests counts busbw (PERFORMANCE.md): a half of an all-reduce
// (reduce-scatter, all-gather) sends (n - 1) / n of the buffer from each of the n GPUs to the
// next. Over several domains a half is one ring in each domain and one per lane between them,
// which carries the lane's share. Kernels that reduce in one shot or in the switch send other
// amounts in the same time.
//
// Booked without work: transfers beside the steps do not give way to these.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "sim/machine/group_collective.hpp"
#include "sim/machine/ledger.hpp"
#include "topology/cluster.hpp"

namespace moesim {

class GroupTraffic {
 public:
  // GPUs that add up or gather together, group by group. The cluster outlives this.
  GroupTraffic(const Cluster& cluster, std::vector<std::vector<GpuId>> groups);

  // `bytes` [groups] as GroupCollectives::time takes them; a group of one GPU sends nothing.
  void account(GroupOp op, std::span<const double> bytes, LinkLedger& ledger) const;

 private:
  using Crossings = std::vector<std::pair<LinkId, double>>;
  void walk() const;  // when links went down or came back since
  [[nodiscard]] Crossings ring_halves(const std::vector<GpuId>& group) const;

  const Cluster* cluster_;
  std::vector<std::vector<GpuId>> groups_;
  mutable int reroutes_ = -1;              // Cluster::reroutes of the last walk
  mutable std::vector<Crossings> halves_;  // [groups] times that a half's buffer crosses a link
};

}  // namespace moesim
