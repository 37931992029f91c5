#include "sim/machine/node_traffic.hpp"

#include <utility>

namespace moesim {

NodeTraffic::NodeTraffic(int nodes)
    : nodes_(nodes),
      bytes_(static_cast<std::size_t>(nodes) * static_cast<std::size_t>(nodes)) {}

void NodeTraffic::add_pair(const Traffic& traffic, int from, int to, double bytes) {
  const auto node = [&](int rank) {
    return traffic.ranks->cluster()
        .node_of(traffic.ranks->gpus()[static_cast<std::size_t>(rank)])
        .index();
  };
  std::size_t a = node(from);
  std::size_t b = node(to);
  if (a == b) return;
  if (traffic.direction == Direction::backward) std::swap(a, b);
  bytes_[a * static_cast<std::size_t>(nodes_) + b] += bytes;
}

void NodeTraffic::add(const Traffic& traffic, double times) {
  const RankGroup& ranks = *traffic.ranks;
  const auto domains = static_cast<std::size_t>(ranks.domains());
  for (int s = 0; s < ranks.ranks(); ++s) {
    const auto source = static_cast<std::size_t>(s);
    if (traffic.relayed()) {
      const auto row = static_cast<std::size_t>(traffic.group[source]) * domains;
      for (std::size_t m = 0; m < domains; ++m) {
        const int lane = ranks.lane_of()[source];
        add_pair(traffic, s, ranks.relay(static_cast<int>(m), lane),
                 times * traffic.weight[source] * traffic.share_domain[row + m]);
      }
      continue;
    }
    for (int d = 0; d < ranks.ranks(); ++d) {
      const double bytes =
          traffic.padded_pair.value > 0 ? traffic.padded_pair.value : traffic.pair_bytes(s, d);
      add_pair(traffic, s, d, times * bytes);
    }
  }
}

}  // namespace moesim
