#include "tools/walk/trace_links.hpp"

#include <cmath>

namespace moesim {

namespace {

bool is_shown(const Link& link) {
  return link.kind != LinkKind::nvlink && link.kind != LinkKind::pcie &&
         std::isfinite(link.bandwidth.value);
}

// The node whose NIC a link begins or ends at; -1: it joins switches.
std::vector<int> nodes_of_links(const Cluster& cluster) {
  std::vector<int> of_vertex(cluster.graph().vertices.size(), -1);
  for (const Nic& nic : cluster.nics()) of_vertex[nic.vertex.index()] = nic.node.value;
  std::vector<int> of_link;
  for (const Link& link : cluster.graph().links) {
    of_link.push_back(std::max(of_vertex[link.from.index()], of_vertex[link.to.index()]));
  }
  return of_link;
}

}  // namespace

LinkTracks::LinkTracks(TraceFile& trace, const Cluster& cluster, const NodeTracks& nodes,
                       NodeId first, NodeId last) {
  const std::vector<int> node_of = nodes_of_links(cluster);
  for (int l = 0; l < cluster.links(); ++l) {
    const Link& link = cluster.link(LinkId{l});
    const int node = node_of[static_cast<std::size_t>(l)];
    const bool own = node >= first.value && node <= last.value;
    if (!is_shown(link) || (node >= 0 && !own)) continue;
    const TraceTrack process =
        node >= 0 ? nodes.nodes[static_cast<std::size_t>(node)] : nodes.fabric;
    lines_.push_back(
        {LinkId{l}, link.bandwidth, trace.counter(process, link.name, "% of peak"), -1});
  }
}

void LinkTracks::count(TraceFile& trace, std::span<const double> before,
                       std::span<const double> after, Seconds begin, Seconds end) {
  if (!(end > begin)) return;
  for (Line& line : lines_) {
    const std::size_t l = line.link.index();
    const double share =
        100 * (after[l] - before[l]) / (line.bandwidth.value * (end - begin).value);
    if (share != line.shown) trace.count(line.track, begin, share);
    line.shown = share;
  }
}

void LinkTracks::pause(TraceFile& trace, Seconds at) {
  for (Line& line : lines_) {
    if (line.shown > 0) trace.count(line.track, at, 0);
    line.shown = 0;
  }
}

}  // namespace moesim
