#include "sim/machine/node_traffic.hpp"

#include <utility>

namespace moesim {

NodeTraffic::NodeTraffic(int nodes)
    : nodes_(nodes),
      bytes_(static_cast<std::size_t>(nodes) * static_cast<std::size_t>(nodes)) {}

void NodeTraffic::add_pair(Direction direction, std::size_t from, std::size_t to,
                           double bytes) {
  if (from == to) return;
  if (direction == Direction::backward) std::swap(from, to);
  bytes_[from * static_cast<std::size_t>(nodes_) + to] += bytes;
}

void NodeTraffic::add_direct(const Traffic& t, std::span<const std::size_t> node,
                             double times) {
  const auto nodes = static_cast<std::size_t>(nodes_);
  const std::size_t groups = t.share->groups();
  std::vector<double> sent(groups * nodes);   // by a group's ranks of a node
  std::vector<double> share(groups * nodes);  // of a group's token, to a node
  for (std::size_t s = 0; s < node.size(); ++s) {
    sent[static_cast<std::size_t>(t.group[s]) * nodes + node[s]] += times * t.weight[s];
  }
  std::vector<double> row(node.size());
  for (std::size_t g = 0; g < groups; ++g) {
    t.share->expand(g, 0, row);
    for (std::size_t d = 0; d < node.size(); ++d) share[g * nodes + node[d]] += row[d];
  }
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t a = 0; a < nodes; ++a) {
      const double bytes = sent[g * nodes + a];
      if (bytes == 0) continue;
      for (std::size_t b = 0; b < nodes; ++b) {
        add_pair(t.direction, a, b, bytes * share[g * nodes + b]);
      }
    }
  }
}

void NodeTraffic::add_relayed(const Traffic& t, std::span<const std::size_t> node,
                              double times) {
  const RankGroup& ranks = *t.ranks;
  std::vector<double> share(static_cast<std::size_t>(ranks.domains()));
  int row = -1;
  for (std::size_t s = 0; s < node.size(); ++s) {
    if (t.group[s] != row)
      t.share_domain->expand(static_cast<std::size_t>(t.group[s]), 0, share);
    row = t.group[s];
    for (std::size_t m = 0; m < share.size(); ++m) {
      const int relay = ranks.relay(static_cast<int>(m), ranks.lane_of()[s]);
      add_pair(t.direction, node[s], node[static_cast<std::size_t>(relay)],
               times * t.weight[s] * share[m]);
    }
  }
}

void NodeTraffic::add(const Traffic& t, double times) {
  std::vector<std::size_t> node;  // [ranks]
  for (const GpuId gpu : t.ranks->gpus()) {
    node.push_back(t.ranks->cluster().node_of(gpu).index());
  }
  if (t.padded_pair.value > 0) {
    for (const std::size_t from : node) {
      for (const std::size_t to : node) {
        add_pair(t.direction, from, to, times * t.padded_pair.value);
      }
    }
  } else if (t.relayed()) {
    add_relayed(t, node, times);
  } else {
    add_direct(t, node, times);
  }
}

}  // namespace moesim
