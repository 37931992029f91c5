#include "sim/placement/token_traffic.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

TokenTraffic of_source(const DispatchDemand& d, int source) {
  TokenTraffic out;
  const std::size_t group = z(d.group_of_rank[z(source)]);
  const int home = d.node_of_rank[z(source)];
  const int per_node = d.ranks / d.nodes;
  std::vector<double> row(z(d.nodes));
  d.reach_node.expand(group, 0, row);
  for (int n = 0; n < d.nodes; ++n) {
    const double reach = row[z(n)];
    out.nodes += reach;
    if (n != home) out.remote_nodes += reach;
  }
  row.resize(z(d.ranks));
  d.reach_rank.expand(group, 0, row);
  for (int r = 0; r < d.ranks; ++r) {
    const double reach = row[z(r)];
    out.gpus += reach;
    if (r == source) continue;
    if (d.node_of_rank[z(r)] == home) {
      out.near_gpus += reach;
    } else {
      out.remote_gpus += reach;
      if (r % per_node != source % per_node) out.forwarded += reach;
    }
  }
  return out;
}

}  // namespace

TokenTraffic operator+(const TokenTraffic& a, const TokenTraffic& b) {
  return {a.nodes + b.nodes,
          a.gpus + b.gpus,
          a.remote_nodes + b.remote_nodes,
          a.remote_gpus + b.remote_gpus,
          a.near_gpus + b.near_gpus,
          a.forwarded + b.forwarded};
}

TokenTraffic operator/(const TokenTraffic& a, double n) {
  return {a.nodes / n,       a.gpus / n,      a.remote_nodes / n,
          a.remote_gpus / n, a.near_gpus / n, a.forwarded / n};
}

TokenTraffic token_traffic(const DispatchDemand& demand) {
  TokenTraffic sum;
  for (int s = 0; s < demand.ranks; ++s) sum = sum + of_source(demand, s);
  return sum / demand.ranks;
}

}  // namespace moesim
