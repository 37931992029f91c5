// All-reduce, all-gather, reduce-scatter and point to point: what tensor parallelism and KV
// transfers need. In closed form: one node from measured curves, several nodes by rings and
// trees over the NICs on top of the node's part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/base/provenance.hpp"
#include "sim/machine/collective_curves.hpp"
#include "sim/machine/rank_group.hpp"

namespace moesim {

enum class GroupOp { all_reduce, all_gather, reduce_scatter };

struct GroupTime {
  Seconds time{0};
  Provenance provenance = Provenance::assumed;
};

class GroupCollectives {
 public:
  // Curves of the GPU ("h200-sxm") or of the nearest one measured; without any, rings at the
  // links' bandwidth. Throws WorldError when the shipped curves cannot be read.
  explicit GroupCollectives(std::string_view gpu);

  // `bytes` as nccl-tests counts them (CollectiveCurve). Zero for one rank or no bytes.
  // all_reduce takes the faster of NCCL and the engines' own kernels.
  [[nodiscard]] GroupTime time(GroupOp op, const RankGroup& ranks, Bytes bytes) const;

 private:
  [[nodiscard]] GroupTime inside(GroupOp op, const RankGroup& ranks, int n, Bytes bytes) const;
  [[nodiscard]] GroupTime across(GroupOp op, const RankGroup& ranks, Bytes bytes) const;

  std::vector<CollectiveCurve> curves_;  // of the chosen system alone
  Provenance provenance_ = Provenance::assumed;
};

// Latency of the path plus bytes over its narrowest link, at `efficiency` of it.
Seconds point_to_point(const Cluster& cluster, GpuId src, GpuId dst, Bytes bytes,
                       double efficiency = 1);

}  // namespace moesim
