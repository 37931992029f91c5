#include "tools/network_fit/shape.hpp"

#include <algorithm>

namespace moesim::network_fit {
namespace {

using namespace literals;

struct Hardware {
  BytesPerSecond nvlink;
  int gpus_per_node;
};

// Per GPU and direction, as the datasheets have it.
Hardware hardware(const std::string& system) {
  if (system.starts_with("gb")) return {900_GBps, 72};
  if (system.starts_with("b")) return {900_GBps, 8};
  if (system.starts_with("h800")) return {200_GBps, 8};
  if (system.starts_with("h")) return {450_GBps, 8};
  if (system == "mi355x") return {538_GBps, 8};
  if (system == "mi300x") return {448_GBps, 8};
  return {300_GBps, 8};
}

constexpr BytesPerSecond kNic{50e9};  // 400 Gbps per GPU in every multi-node table

}  // namespace

double chance_of_none(double all, double part, int k) {
  double p = 1;
  for (int i = 0; i < k; ++i) p *= std::max(0.0, all - part - i) / (all - i);
  return p;
}

Sample shaped(const Shape& s, Way way) {
  const Hardware hw = hardware(s.system);
  const int lanes = std::min(s.ranks, hw.gpus_per_node);
  const int nodes = s.ranks / lanes;
  Sample out;
  out.ranks = s.ranks;
  out.domains = nodes;
  out.experts_per_rank = s.experts / s.ranks;
  out.row = Bytes{s.fp8 ? s.hidden * (1 + 4.0 / 128) : 2 * s.hidden};
  out.latency = nodes > 1 ? 4.5_us : 1_us;
  const Bytes each = out.row * s.tokens;
  if (way == Way::per_expert) {
    const double per_rank = static_cast<double>(s.top_k) / s.ranks;
    out.local = each * per_rank * (lanes - 1) / hw.nvlink;
    out.network = each * per_rank * (s.ranks - lanes) / kNic;
    return out;
  }
  const int reached = s.most_nodes > 0 ? std::min(nodes, s.most_nodes) : nodes;
  const double allowed = static_cast<double>(reached) / nodes;
  const double pool = s.experts * allowed;
  const double reach_rank = allowed * (1 - chance_of_none(pool, s.experts / s.ranks, s.top_k));
  const double reach_node = allowed * (1 - chance_of_none(pool, s.experts / nodes, s.top_k));
  out.local = each * reach_rank * (s.ranks - nodes) / hw.nvlink;
  out.network = each * reach_node * (nodes - 1) / kNic;
  return out;
}

}  // namespace moesim::network_fit
