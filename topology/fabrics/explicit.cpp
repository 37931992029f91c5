// Every cable as written in the scenario; paths are shortest paths by latency.
#include <map>
#include <set>

#include "topology/fabrics/fabrics.hpp"

namespace moesim {
namespace {

class Wiring {
 public:
  Wiring(Graph& graph, std::span<Nic> nics) : graph_(graph), nics_(nics) {
    for (std::size_t v = 0; v < graph.vertices.size(); ++v) {
      vertex_[graph.vertices[v].name] = VertexId{v};
    }
  }

  void add(const CableOptions& cable) {
    const std::string name = cable.name.empty() ? cable.from + "-" + cable.to : cable.name;
    if (!names_.insert(name).second) {
      problems.error({}, "two cables are called '" + name + "'", "a name of its own for each");
    }
    if (cable.bandwidth.value <= 0) {
      problems.error({}, "cable '" + name + "' has no bandwidth", "bandwidth above zero");
    }
    if (cable.from == cable.to) {
      problems.error({}, "cable '" + name + "' joins '" + cable.from + "' to itself",
                     "two different ends");
    }
    const VertexId from = end(cable.from, name);
    const VertexId to = end(cable.to, name);
    if (problems.has_errors()) return;
    const bool outside = is_nic(from) || is_nic(to);
    const LinkKind kind = outside ? LinkKind::nic : LinkKind::leaf;
    const LinkId up =
        graph_.add_link({name + ".up", kind, from, to, cable.bandwidth, cable.latency});
    const LinkId down =
        graph_.add_link({name + ".down", kind, to, from, cable.bandwidth, cable.latency});
    for (Nic& nic : nics_) {
      if (nic.vertex == from) nic.up = up, nic.down = down;
      if (nic.vertex == to) nic.up = down, nic.down = up;
    }
  }

  Diagnostics problems;

 private:
  [[nodiscard]] bool is_nic(VertexId v) const {
    return graph_.vertices[v.index()].kind == VertexKind::nic;
  }

  // "node..." must exist; any other name is a switch.
  VertexId end(const std::string& name, const std::string& cable) {
    const auto found = vertex_.find(name);
    if (found != vertex_.end()) return found->second;
    if (name.empty() || name.starts_with("node")) {
      std::vector<std::string> known;
      for (const auto& [key, id] : vertex_) known.push_back(key);
      problems.error({}, "cable '" + cable + "' ends at '" + name + "', which does not exist",
                     "node3.nic1, node3.gpu2 or the name of a switch",
                     did_you_mean(name, known));
      return VertexId{0};
    }
    return vertex_[name] = graph_.add_vertex(name, VertexKind::leaf);
  }

  Graph& graph_;
  std::span<Nic> nics_;
  std::map<std::string, VertexId> vertex_;
  std::set<std::string> names_;
};

}  // namespace

std::unique_ptr<Fabric> make_explicit(const ClusterOptions& options, Graph& graph,
                                      std::span<Nic> nics) {
  Wiring wiring(graph, nics);
  for (const CableOptions& cable : options.links) wiring.add(cable);
  wiring.problems.throw_if_errors();
  return nullptr;
}

}  // namespace moesim
