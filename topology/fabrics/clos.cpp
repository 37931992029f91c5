#include "topology/fabrics/clos.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moesim {

void connect_nic(Graph& graph, Nic& nic, VertexId leaf, Seconds switch_latency) {
  const std::string& name = graph.vertices[nic.vertex.index()].name;
  nic.up = graph.add_link(
      {name + ".up", LinkKind::nic, nic.vertex, leaf, nic.bandwidth, nic.latency});
  nic.down = graph.add_link({name + ".down", LinkKind::nic, leaf, nic.vertex, nic.bandwidth,
                             nic.latency + switch_latency});
}

std::uint64_t mix(std::uint64_t flow) {
  flow += 0x9e3779b97f4a7c15;
  flow = (flow ^ (flow >> 30)) * 0xbf58476d1ce4e5b9;
  flow = (flow ^ (flow >> 27)) * 0x94d049bb133111eb;
  return flow ^ (flow >> 31);
}

Clos::Clos(const ClusterOptions& options, Graph& graph, std::span<Nic> nics,
           const std::vector<int>& leaf_of, bool rails)
    : rails_(rails) {
  if (nics.empty()) return;
  // NIC vertices are not contiguous: the map is by vertex.
  first_nic_ = nics.front().vertex.value;
  leaf_of_.assign(static_cast<std::size_t>(nics.back().vertex.value - first_nic_ + 1), -1);
  leaves_ = *std::max_element(leaf_of.begin(), leaf_of.end()) + 1;

  std::vector<VertexId> leaves;
  std::vector<BytesPerSecond> below(static_cast<std::size_t>(leaves_));
  std::vector<int> ports(static_cast<std::size_t>(leaves_));
  for (int i = 0; i < leaves_; ++i) {
    leaves.push_back(graph.add_vertex(fmt::format("leaf{}", i), VertexKind::leaf));
  }
  int most_rails = 0;
  for (std::size_t i = 0; i < nics.size(); ++i) {
    const auto leaf = static_cast<std::size_t>(leaf_of[i]);
    leaf_of_[static_cast<std::size_t>(nics[i].vertex.value - first_nic_)] = leaf_of[i];
    connect_nic(graph, nics[i], leaves[leaf], options.switch_latency);
    below[leaf] += nics[i].bandwidth;
    ++ports[leaf];
    most_rails = std::max(most_rails, nics[i].rail + 1);
  }
  one_leaf_per_rail_ = rails && leaves_ <= most_rails;
  if (leaves_ == 1) return;

  const bool adaptive = options.ecmp == "adaptive";
  const int widest = *std::max_element(ports.begin(), ports.end());
  spines_ = options.spines > 0 ? options.spines
            : adaptive
                ? 1
                : std::max(1, static_cast<int>(std::ceil(widest / options.oversubscription)));
  full_ = options.oversubscription <= 1 && spines_ == 1;
  std::vector<VertexId> spines;
  for (int s = 0; s < spines_; ++s) {
    spines.push_back(graph.add_vertex(fmt::format("spine{}", s), VertexKind::spine));
  }
  for (int l = 0; l < leaves_; ++l) {
    const auto leaf = static_cast<std::size_t>(l);
    const BytesPerSecond each = below[leaf] / options.oversubscription / spines_;
    for (int s = 0; s < spines_; ++s) {
      const std::string name = fmt::format("leaf{}.spine{}", l, s);
      const VertexId spine = spines[static_cast<std::size_t>(s)];
      Uplink u;
      u.up = graph.add_link(
          {name + ".up", LinkKind::leaf, leaves[leaf], spine, each, options.switch_latency});
      u.down = graph.add_link(
          {name + ".down", LinkKind::leaf, spine, leaves[leaf], each, options.switch_latency});
      u.latency = options.switch_latency;
      uplinks_.push_back(u);
    }
  }
}

void Clos::between(const Nic& from, const Nic& to, std::uint64_t flow, Path& path) const {
  const int a = leaf_of(from);
  const int b = leaf_of(to);
  if (a == b) return;
  const auto spine =
      spines_ == 1 ? 0 : static_cast<int>(mix(flow) % static_cast<std::uint64_t>(spines_));
  const Uplink& up = uplinks_[static_cast<std::size_t>(a * spines_ + spine)];
  const Uplink& down = uplinks_[static_cast<std::size_t>(b * spines_ + spine)];
  path.add(up.up);
  path.add(down.down);
  path.latency += up.latency + down.latency;
}

bool Clos::is_nonblocking(bool aligned) const {
  return leaves_ <= 1 || full_ || (aligned && one_leaf_per_rail_);
}

}  // namespace moesim
