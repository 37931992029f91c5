#include "topology/targets.hpp"

#include <charconv>
#include <optional>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {
namespace {

// The number in "node12" after "node"; none unless the whole rest is a number below `end`.
std::optional<int> number_after(std::string_view word, std::string_view prefix, int end) {
  if (!word.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = word.substr(prefix.size());
  int value = 0;
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || stop != digits.data() + digits.size() || digits.empty()) {
    return std::nullopt;
  }
  return value >= 0 && value < end ? std::optional(value) : std::nullopt;
}

// The vertices a name covers: a node's are those whose name begins with it.
bool covers(std::string_view target, std::string_view vertex) {
  return vertex == target ||
         (vertex.starts_with(target) && vertex.substr(target.size()).starts_with("."));
}

}  // namespace

std::vector<GpuId> gpus_named(const Cluster& cluster, std::string_view target) {
  std::vector<GpuId> out;
  if (const auto gpu = number_after(target, "gpu", cluster.gpus())) return {GpuId{*gpu}};
  for (int g = 0; g < cluster.gpus(); ++g) {
    const VertexId vertex = cluster.place(GpuId{g}).vertex;
    if (covers(target, cluster.graph().vertices[vertex.index()].name)) out.emplace_back(g);
  }
  return out;
}

std::vector<LinkId> links_named(const Cluster& cluster, std::string_view target) {
  if (const auto link = cluster.find_link(target)) return {*link};
  const Graph& graph = cluster.graph();
  std::string name(target);
  if (const auto gpu = number_after(target, "gpu", cluster.gpus())) {
    name = graph.vertices[cluster.place(GpuId{*gpu}).vertex.index()].name;
  }
  std::vector<LinkId> out;
  for (int i = 0; i < cluster.links(); ++i) {
    const Link& link = cluster.link(LinkId{i});
    const bool touches = covers(name, graph.vertices[link.from.index()].name) ||
                         covers(name, graph.vertices[link.to.index()].name);
    // A NIC means its cable, not its slot in the GPU's node.
    const bool nic = name.find(".nic") != std::string::npos;
    if (touches && (!nic || link.kind == LinkKind::nic)) out.emplace_back(i);
  }
  if (!out.empty()) return out;
  std::vector<std::string> known;
  for (const Vertex& v : graph.vertices) known.push_back(v.name);
  for (const Link& l : graph.links) known.push_back(l.name);
  throw InputError("nothing in the cluster is called '" + std::string(target) + "'",
                   "a node (node3), GPU (node3.gpu1), NIC (node3.nic1), switch or link",
                   did_you_mean(target, known));
}

}  // namespace moesim
