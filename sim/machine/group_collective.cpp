#include "sim/machine/group_collective.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace moesim {
namespace {

std::string_view name_of(GroupOp op) {
  constexpr std::array<std::string_view, 3> names{"all_reduce", "all_gather", "reduce_scatter"};
  return names[static_cast<std::size_t>(op)];
}

// Times that the whole buffer crosses a rank's link, ring algorithm: 2 (n-1)/n for all-reduce,
// (n-1)/n for its halves (nccl-tests, PERFORMANCE.md).
double crossings(GroupOp op, int n) {
  const double once = static_cast<double>(n - 1) / n;
  return op == GroupOp::all_reduce ? 2 * once : once;
}

BytesPerSecond slowest_nic(const RankGroup& ranks) {
  BytesPerSecond least{std::numeric_limits<double>::infinity()};
  for (const GpuId gpu : ranks.gpus()) {
    const GpuPlace& place = ranks.cluster().place(gpu);
    if (place.nic < 0) continue;
    const Nic& nic = ranks.cluster().nics()[static_cast<std::size_t>(place.nic)];
    least = std::min(
        {least, ranks.cluster().bandwidth(nic.up), ranks.cluster().bandwidth(nic.down)});
  }
  return least;
}

}  // namespace

GroupCollectives::GroupCollectives(std::string_view gpu) : curves_(find_curves(gpu)) {
  if (curves_.empty()) return;
  std::string own(gpu);
  std::replace(own.begin(), own.end(), '-', '_');
  provenance_ = own == curves_.front().system ? Provenance::measured : Provenance::extrapolated;
}

GroupTime GroupCollectives::time(GroupOp op, const RankGroup& ranks, Bytes bytes) const {
  if (ranks.ranks() <= 1 || bytes.value <= 0) return {Seconds{0}, provenance_};
  if (ranks.domains() == 1) return inside(op, ranks, ranks.ranks(), bytes);
  return across(op, ranks, bytes);
}

// Between measured rank counts the next larger; beyond the largest its curve, scaled by what
// crosses a link.
GroupTime GroupCollectives::inside(GroupOp op, const RankGroup& ranks, int n,
                                   Bytes bytes) const {
  int fitting = 0;
  Seconds best{std::numeric_limits<double>::infinity()};
  for (const std::string_view library : {"nccl", "custom"}) {
    const CollectiveCurve* curve = curve_for(curves_, library, name_of(op), n);
    if (curve == nullptr) continue;
    if (library == "custom" && (curve->ranks != fitting || bytes.value > curve->bytes.back())) {
      continue;
    }
    fitting = curve->ranks;
    best = std::min(best, read_curve(*curve, bytes));
  }
  if (fitting == 0 || !std::isfinite(best.value)) {
    const GpuPlace& place = ranks.cluster().place(ranks.gpus()[0]);
    if (place.up.value < 0) return {Seconds{0}, Provenance::assumed};
    const Bytes crossing = bytes * crossings(op, n);
    return {ranks.local_latency() * (2.0 * std::log2(n)) +
                crossing / ranks.cluster().bandwidth(place.up),
            Provenance::assumed};
  }
  if (fitting == n) return {best, provenance_};
  const double more = std::max(1.0, crossings(op, n) / crossings(op, fitting));
  return {best * more, worst(provenance_, Provenance::extrapolated)};
}

// Node by node first, then every lane over its own NIC with its share of the bytes, the faster
// of ring and tree (Thakur, Rabenseifner, Gropp 2005, section 3), then the node again.
GroupTime GroupCollectives::across(GroupOp op, const RankGroup& ranks, Bytes bytes) const {
  const int nodes = ranks.domains();
  const int lanes = ranks.lanes();
  const Seconds hop = ranks.network_latency();
  const Bytes lane_bytes = bytes / lanes;
  const Seconds ring = hop * ((op == GroupOp::all_reduce ? 2.0 : 1.0) * (nodes - 1)) +
                       lane_bytes * crossings(op, nodes) / slowest_nic(ranks);
  const Seconds tree =
      hop * (2.0 * std::ceil(std::log2(nodes))) + lane_bytes * 2.0 / slowest_nic(ranks);
  GroupTime total{op == GroupOp::all_reduce ? std::min(ring, tree) : ring,
                  Provenance::extrapolated};
  if (lanes == 1) return total;
  const auto add = [&](GroupOp part, Bytes part_bytes) {
    const GroupTime t = inside(part, ranks, lanes, part_bytes);
    total.time += t.time;
    total.provenance = worst(total.provenance, t.provenance);
  };
  if (op != GroupOp::all_gather) add(GroupOp::reduce_scatter, bytes);
  if (op != GroupOp::reduce_scatter) add(GroupOp::all_gather, bytes);
  return total;
}

Seconds point_to_point(const Cluster& cluster, GpuId src, GpuId dst, Bytes bytes,
                       double efficiency) {
  const Path path = cluster.path(src, dst);
  Seconds transfer{0};
  for (const LinkId id : path.links()) {
    transfer = std::max(transfer, bytes / (cluster.bandwidth(id) * efficiency));
  }
  return path.latency + transfer;
}

}  // namespace moesim
