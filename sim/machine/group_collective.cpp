#include "sim/machine/group_collective.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sim/base/files.hpp"

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

// The measured system to stand for a GPU; nearest by NVLink generation.
std::string_view stand_in(std::string_view gpu) {
  constexpr std::array<std::array<std::string_view, 2>, 11> known{{{"h20", "h200_sxm"},
                                                                   {"h200", "h200_sxm"},
                                                                   {"h100", "h100_sxm"},
                                                                   {"h800", "h100_sxm"},
                                                                   {"a100", "a100_sxm"},
                                                                   {"a800", "a100_sxm"},
                                                                   {"gb200", "gb200"},
                                                                   {"gb300", "gb300"},
                                                                   {"b200", "b200_sxm"},
                                                                   {"b300", "b300_sxm"},
                                                                   {"l40s", "l40s"}}};
  for (const auto& [prefix, system] : known) {
    if (gpu.starts_with(prefix)) return system;
  }
  return "";
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

GroupCollectives::GroupCollectives(std::string_view gpu) {
  const std::string_view system = stand_in(gpu);
  if (system.empty()) return;
  std::string own(gpu);
  std::replace(own.begin(), own.end(), '-', '_');
  provenance_ = own == system ? Provenance::measured : Provenance::extrapolated;
  static const auto all =
      read_curves((data_folder() / "calibrate/profiles/network/collectives.csv").string());
  for (const CollectiveCurve& curve : all) {
    if (curve.system == system) curves_.push_back(curve);
  }
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
  for (const CollectiveCurve& c : curves_) {
    if (c.op != name_of(op)) continue;
    if (fitting == 0 || (fitting < n ? c.ranks > fitting : c.ranks >= n && c.ranks < fitting)) {
      fitting = c.ranks;
    }
  }
  Seconds best{std::numeric_limits<double>::infinity()};
  for (const CollectiveCurve& c : curves_) {
    if (c.op != name_of(op) || c.ranks != fitting) continue;
    if (c.library == "custom" && bytes.value > c.bytes.back()) continue;
    best = std::min(best, read_curve(c, bytes));
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
