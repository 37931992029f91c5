// fat_tree: with k, three levels of k-port switches (Al-Fares, Loukissas, Vahdat 2008);
// without, leaves of whole nodes under spines.
#include <fmt/format.h>

#include "topology/fabrics/clos.hpp"
#include "topology/fabrics/fabrics.hpp"

namespace moesim {
namespace {

// NIC p hangs on edge switch p / (k/2); pods have k/2 edge and k/2 aggregation switches;
// aggregation switch a of every pod reaches cores a k/2 .. a k/2 + k/2 - 1. With adaptive
// routing the ways of a level act as one: `ways` is 1 and a link has their bandwidth.
class KaryTree : public Fabric {
 public:
  KaryTree(const ClusterOptions& options, Graph& graph, std::span<Nic> nics)
      : half_(options.k / 2), ways_(options.ecmp == "adaptive" ? 1 : half_) {
    latency_ = options.switch_latency;
    const int edges = (static_cast<int>(nics.size()) + half_ - 1) / half_;
    const int pods = (edges + half_ - 1) / half_;
    BytesPerSecond nic_bandwidth{0};
    for (const Nic& nic : nics) nic_bandwidth = std::max(nic_bandwidth, nic.bandwidth);
    const double merged = static_cast<double>(half_) / ways_;
    add_edges(options, graph, nics, edges);
    std::vector<VertexId> cores;
    for (int c = 0; c < ways_ * ways_; ++c) {
      cores.push_back(graph.add_vertex(fmt::format("core{}", c), VertexKind::core));
    }
    for (int p = 0; p < pods; ++p) {
      for (int a = 0; a < ways_; ++a) {
        const auto name = fmt::format("pod{}.spine{}", p, a);
        const VertexId spine = graph.add_vertex(name, VertexKind::spine);
        for (int e = p * half_; e < std::min(edges, (p + 1) * half_); ++e) {
          to_spine_[index(e, a)] = cable(graph, edge_[static_cast<std::size_t>(e)], spine,
                                         LinkKind::leaf, nic_bandwidth * merged);
        }
        for (int c = 0; c < ways_; ++c) {
          to_core_.push_back(cable(graph, spine, cores[static_cast<std::size_t>(a * ways_ + c)],
                                   LinkKind::spine, nic_bandwidth * merged * merged));
        }
      }
    }
  }

  void between(const Nic& from, const Nic& to, std::uint64_t flow, Path& path) const override {
    const int a = edge_of(from), b = edge_of(to);
    if (a == b) return;
    const std::uint64_t hash = mix(flow);
    const int spine = static_cast<int>(hash % static_cast<std::uint64_t>(ways_));
    path.add(to_spine_[index(a, spine)].up);
    path.latency += 2.0 * latency_;
    if (a / half_ != b / half_) {
      const int core = static_cast<int>((hash >> 32) % static_cast<std::uint64_t>(ways_));
      path.add(core_link(a / half_, spine, core).up);
      path.add(core_link(b / half_, spine, core).down);
      path.latency += 2.0 * latency_;
    }
    path.add(to_spine_[index(b, spine)].down);
  }

  [[nodiscard]] bool is_nonblocking(bool) const override { return ways_ == 1; }

 private:
  struct Cable {
    LinkId up, down;
  };
  [[nodiscard]] std::size_t index(int edge, int spine) const {
    return static_cast<std::size_t>(edge * ways_ + spine);
  }
  [[nodiscard]] const Cable& core_link(int pod, int spine, int core) const {
    return to_core_[static_cast<std::size_t>((pod * ways_ + spine) * ways_ + core)];
  }
  [[nodiscard]] int edge_of(const Nic& nic) const {
    return edge_of_[static_cast<std::size_t>(nic.vertex.value - first_)];
  }
  Cable cable(Graph& graph, VertexId lower, VertexId upper, LinkKind kind,
              BytesPerSecond bandwidth) const {
    const std::string name =
        graph.vertices[lower.index()].name + "." + graph.vertices[upper.index()].name;
    return {graph.add_link({name + ".up", kind, lower, upper, bandwidth, latency_}),
            graph.add_link({name + ".down", kind, upper, lower, bandwidth, latency_})};
  }
  void add_edges(const ClusterOptions& options, Graph& graph, std::span<Nic> nics, int edges) {
    for (int e = 0; e < edges; ++e) {
      edge_.push_back(graph.add_vertex(fmt::format("leaf{}", e), VertexKind::leaf));
    }
    first_ = nics.front().vertex.value;
    edge_of_.resize(static_cast<std::size_t>(nics.back().vertex.value - first_ + 1));
    for (std::size_t i = 0; i < nics.size(); ++i) {
      const int edge = static_cast<int>(i) / half_;
      edge_of_[static_cast<std::size_t>(nics[i].vertex.value - first_)] = edge;
      connect_nic(graph, nics[i], edge_[static_cast<std::size_t>(edge)],
                  options.switch_latency);
    }
    to_spine_.resize(static_cast<std::size_t>(edges * ways_));
  }

  int half_;
  int ways_;
  int first_ = 0;
  Seconds latency_{0};
  std::vector<VertexId> edge_;
  std::vector<int> edge_of_;     // by NIC vertex
  std::vector<Cable> to_spine_;  // [edges * ways]
  std::vector<Cable> to_core_;   // [pods * ways * ways]
};

}  // namespace

std::unique_ptr<Fabric> make_fat_tree(const ClusterOptions& options, Graph& graph,
                                      std::span<Nic> nics) {
  if (options.k > 0 && !nics.empty()) {
    const int most = options.k * options.k * options.k / 4;
    if (options.k % 2 != 0 || most < static_cast<int>(nics.size())) {
      throw InputError(fmt::format("cluster.k = {} does not make a fat tree for {} NICs",
                                   options.k, nics.size()),
                       fmt::format("an even k with k^3 / 4 >= {} ports", nics.size()));
    }
    return std::make_unique<KaryTree>(options, graph, nics);
  }
  std::vector<int> leaf_of;
  for (const Nic& nic : nics) {
    leaf_of.push_back(options.nodes_per_leaf > 0 ? nic.node.value / options.nodes_per_leaf : 0);
  }
  return std::make_unique<Clos>(options, graph, nics, leaf_of, false);
}

}  // namespace moesim
