// Routers in groups: all routers of a group are joined, and all groups by one global link each
// (Kim, Dally, Scott, Abts 2008), minimal routing: at most local, global, local.
#include <fmt/format.h>

#include <map>

#include "topology/fabrics/clos.hpp"
#include "topology/fabrics/fabrics.hpp"

namespace moesim {
namespace {

class Dragonfly : public Fabric {
 public:
  Dragonfly(const ClusterOptions& options, Graph& graph, std::span<Nic> nics)
      : nodes_per_router_(options.nodes_per_router),
        per_group_(options.routers_per_group),
        latency_(options.switch_latency) {
    const int routers = (nics.back().node.value + nodes_per_router_) / nodes_per_router_;
    groups_ = (routers + per_group_ - 1) / per_group_;
    std::vector<VertexId> vertices;
    std::vector<BytesPerSecond> below(static_cast<std::size_t>(routers));
    for (int r = 0; r < routers; ++r) {
      vertices.push_back(graph.add_vertex(
          fmt::format("group{}.router{}", r / per_group_, r % per_group_), VertexKind::router));
    }
    BytesPerSecond all{0};
    for (Nic& nic : nics) {
      const auto r = static_cast<std::size_t>(router_of(nic));
      connect_nic(graph, nic, vertices[r], options.switch_latency);
      below[r] += nic.bandwidth;
      all += nic.bandwidth;
    }
    routers_ = routers;
    link_.assign(static_cast<std::size_t>(routers * routers), LinkId{-1});
    const auto join = [&](int a, int b, LinkKind kind, BytesPerSecond bandwidth) {
      const std::string name =
          graph.vertices[vertices[static_cast<std::size_t>(a)].index()].name + "." +
          graph.vertices[vertices[static_cast<std::size_t>(b)].index()].name;
      link_[at(a, b)] =
          graph.add_link({name, kind, vertices[static_cast<std::size_t>(a)],
                          vertices[static_cast<std::size_t>(b)], bandwidth, latency_});
    };
    for (int a = 0; a < routers; ++a) {
      for (int b = 0; b < routers; ++b) {
        if (a == b || a / per_group_ != b / per_group_) continue;
        join(a, b, LinkKind::local,
             below[static_cast<std::size_t>(a)] / options.oversubscription);
      }
    }
    for (int g = 0; g < groups_; ++g) {
      for (int h = 0; h < groups_; ++h) {
        if (g == h) continue;
        join(gateway(g, h), gateway(h, g), LinkKind::global,
             all / groups_ / (groups_ - 1) / options.oversubscription);
      }
    }
  }

  void between(const Nic& from, const Nic& to, std::uint64_t, Path& path) const override {
    const int a = router_of(from), b = router_of(to);
    const int g = a / per_group_, h = b / per_group_;
    const auto hop = [&](int x, int y) {
      if (x == y) return;
      path.add(link_[at(x, y)]);
      path.latency += latency_;
    };
    if (g == h) return hop(a, b);
    hop(a, gateway(g, h));
    hop(gateway(g, h), gateway(h, g));
    hop(gateway(h, g), b);
  }

  [[nodiscard]] bool is_nonblocking(bool) const override { return routers_ == 1; }

 private:
  [[nodiscard]] int router_of(const Nic& nic) const {
    return nic.node.value / nodes_per_router_;
  }
  [[nodiscard]] std::size_t at(int a, int b) const {
    return static_cast<std::size_t>(a * routers_ + b);
  }
  // The router of group g that holds the link to group h; a last group may be short.
  [[nodiscard]] int gateway(int g, int h) const {
    const int first = g * per_group_;
    const int size = std::min(per_group_, routers_ - first);
    return first + (h > g ? h - 1 : h) % size;
  }

  int nodes_per_router_;
  int per_group_;
  int routers_ = 0;
  int groups_ = 0;
  Seconds latency_;
  std::vector<LinkId> link_;  // [routers * routers]
};

}  // namespace

std::unique_ptr<Fabric> make_dragonfly(const ClusterOptions& options, Graph& graph,
                                       std::span<Nic> nics) {
  if (options.nodes_per_router < 1 || options.routers_per_group < 1) {
    throw InputError("cluster.nodes_per_router and routers_per_group are at least 1",
                     "a dragonfly such as nodes_per_router = 1, routers_per_group = 4");
  }
  if (nics.empty()) return nullptr;
  return std::make_unique<Dragonfly>(options, graph, nics);
}

}  // namespace moesim
