#include "topology/shortest_paths.hpp"

#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/property_map/property_map.hpp>
#include <limits>
#include <utility>

namespace moesim {
namespace {

struct Cable {
  double weight;
  std::int32_t link;
};
using Csr = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, Cable>;

// A hop costs something even on a graph without latencies: fewer links win.
constexpr double kHop = 1e-12;

std::vector<LinkId> tree_from(const Graph& graph, std::span<const double> scale, VertexId src) {
  std::vector<std::pair<std::size_t, std::size_t>> ends;
  std::vector<Cable> cables;
  for (std::size_t i = 0; i < graph.links.size(); ++i) {
    const Link& link = graph.links[i];
    if (scale[i] <= 0) continue;
    ends.emplace_back(link.from.index(), link.to.index());
    cables.push_back({link.latency.value + kHop, static_cast<std::int32_t>(i)});
  }
  const Csr csr(boost::edges_are_unsorted_multi_pass, ends.begin(), ends.end(), cables.begin(),
                graph.vertices.size());
  std::vector<std::size_t> parent(graph.vertices.size());
  std::vector<double> distance(graph.vertices.size());
  const auto index = boost::get(boost::vertex_index, csr);
  boost::dijkstra_shortest_paths(
      csr, src.index(),
      boost::weight_map(boost::get(&Cable::weight, csr))
          .predecessor_map(boost::make_iterator_property_map(parent.begin(), index))
          .distance_map(boost::make_iterator_property_map(distance.begin(), index)));
  // The link into each vertex: of parallel cables from the parent, the first of the shortest.
  std::vector<LinkId> into(graph.vertices.size(), LinkId{-1});
  std::vector<double> best(graph.vertices.size());
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto [from, to] = ends[i];
    if (parent[to] != from || to == from || to == src.index()) continue;
    if (into[to].value >= 0 && cables[i].weight >= best[to]) continue;
    into[to] = LinkId{cables[i].link};
    best[to] = cables[i].weight;
  }
  return into;
}

}  // namespace

bool ShortestPaths::append(const Graph& graph, std::span<const double> scale, VertexId src,
                           VertexId dst, Path& path) {
  auto found = trees_.find(src);
  if (found == trees_.end()) {
    found = trees_.emplace(src, tree_from(graph, scale, src)).first;
  }
  const std::vector<LinkId>& into = found->second;
  std::vector<LinkId> backwards;
  for (VertexId at = dst; at != src;) {
    const LinkId link = into[at.index()];
    if (link.value < 0) return false;
    backwards.push_back(link);
    at = graph.links[link.index()].from;
  }
  for (auto it = backwards.rbegin(); it != backwards.rend(); ++it) {
    const Link& link = graph.links[it->index()];
    path.latency += link.latency;
    if (link.bandwidth.value < std::numeric_limits<double>::infinity()) path.add(*it);
  }
  return true;
}

}  // namespace moesim
