#include "topology/analysis.hpp"

#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/biconnected_components.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>
#include <cmath>
#include <set>

namespace moesim {
namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using FlowGraph = boost::adjacency_list<
    boost::vecS, boost::vecS, boost::directedS, boost::no_property,
    boost::property<
        boost::edge_capacity_t, double,
        boost::property<boost::edge_residual_capacity_t, double,
                        boost::property<boost::edge_reverse_t, Traits::edge_descriptor>>>>;

constexpr double kUnlimited = 1e18;

void add_arc(FlowGraph& graph, std::size_t from, std::size_t to, double capacity) {
  const auto there = boost::add_edge(from, to, graph).first;
  const auto back = boost::add_edge(to, from, graph).first;
  const auto capacities = boost::get(boost::edge_capacity, graph);
  const auto reverses = boost::get(boost::edge_reverse, graph);
  capacities[there] = capacity;
  capacities[back] = 0;
  reverses[there] = back;
  reverses[back] = there;
}

std::vector<LinkClass> classes_of(const Cluster& cluster) {
  std::array<LinkClass, kLinkKinds> all;
  for (int i = 0; i < cluster.links(); ++i) {
    const Link& link = cluster.link(LinkId{i});
    if (!std::isfinite(link.bandwidth.value)) continue;
    LinkClass& c = all[static_cast<std::size_t>(link.kind)];
    c.kind = link.kind;
    c.each_least = c.links == 0 ? link.bandwidth : std::min(c.each_least, link.bandwidth);
    c.all += link.bandwidth;
    ++c.links;
  }
  std::vector<LinkClass> out;
  for (const LinkClass& c : all) {
    if (c.links > 0) out.push_back(c);
  }
  return out;
}

void even_all_to_all(const Cluster& cluster, NetworkSummary& out) {
  std::vector<double> flows(static_cast<std::size_t>(cluster.links()), 0.0);
  for (int s = 0; s < cluster.gpus(); ++s) {
    for (int d = 0; d < cluster.gpus(); ++d) {
      for (const LinkId id : cluster.path(GpuId{s}, GpuId{d}).links()) flows[id.index()] += 1;
    }
  }
  double busiest = 0;  // seconds per byte of every pair
  for (std::size_t i = 0; i < flows.size(); ++i) {
    if (flows[i] > 0) {
      busiest = std::max(busiest, flows[i] / cluster.bandwidth(LinkId{i}).value);
    }
  }
  if (busiest == 0) return;
  out.hot = hottest(cluster, flows, 8);
  out.all_to_all = BytesPerSecond{(cluster.gpus() - 1) / busiest};
}

}  // namespace

std::vector<HotLink> hottest(const Cluster& cluster, const std::vector<double>& bytes,
                             std::size_t count) {
  std::vector<HotLink> hot;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] > 0) hot.push_back({LinkId{i}, bytes[i] / cluster.bandwidth(LinkId{i}).value});
  }
  std::stable_sort(hot.begin(), hot.end(),
                   [](const HotLink& a, const HotLink& b) { return a.share > b.share; });
  if (hot.size() > count) hot.resize(count);
  const double busiest = hot.empty() ? 1 : hot.front().share;
  for (HotLink& link : hot) link.share /= busiest;
  return hot;
}

BytesPerSecond max_flow(const Cluster& cluster, const std::vector<GpuId>& from,
                        const std::vector<GpuId>& to) {
  const std::size_t vertices = cluster.graph().vertices.size();
  FlowGraph graph(vertices + 2);
  for (int i = 0; i < cluster.links(); ++i) {
    const Link& link = cluster.link(LinkId{i});
    const double capacity = cluster.bandwidth(LinkId{i}).value;
    add_arc(graph, link.from.index(), link.to.index(),
            std::isfinite(capacity) ? capacity : kUnlimited);
  }
  for (const GpuId gpu : from) {
    add_arc(graph, vertices, cluster.place(gpu).vertex.index(), kUnlimited);
  }
  for (const GpuId gpu : to) {
    add_arc(graph, cluster.place(gpu).vertex.index(), vertices + 1, kUnlimited);
  }
  return BytesPerSecond{boost::push_relabel_max_flow(graph, vertices, vertices + 1)};
}

std::vector<std::string> single_points_of_failure(const Cluster& cluster) {
  using Plain = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;
  const Graph& graph = cluster.graph();
  Plain plain(graph.vertices.size());
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (int i = 0; i < cluster.links(); ++i) {
    if (cluster.scale(LinkId{i}) <= 0) continue;
    const Link& link = cluster.link(LinkId{i});
    const std::pair<std::size_t, std::size_t> ends =
        std::minmax({link.from.index(), link.to.index()});
    if (seen.insert(ends).second) boost::add_edge(ends.first, ends.second, plain);
  }
  std::vector<std::size_t> points;
  boost::articulation_points(plain, std::back_inserter(points));
  std::sort(points.begin(), points.end());
  std::vector<std::string> names;
  for (const std::size_t v : points) {
    // A NIC or switch that hangs on a GPU cuts no other GPU off.
    if (graph.vertices[v].kind != VertexKind::gpu) names.push_back(graph.vertices[v].name);
  }
  return names;
}

NetworkSummary analyse(const Cluster& cluster) {
  NetworkSummary out;
  out.classes = classes_of(cluster);
  even_all_to_all(cluster, out);
  out.single_points = single_points_of_failure(cluster);
  std::vector<GpuId> first, second;
  for (int g = 0; g < cluster.gpus(); ++g) {
    (g < cluster.gpus() / 2 ? first : second).emplace_back(g);
  }
  if (first.empty()) return out;
  out.bisection = max_flow(cluster, first, second);
  BytesPerSecond could{0};
  int last = -1;
  for (const GpuId gpu : first) {
    const GpuPlace& place = cluster.place(gpu);
    if (place.nic < 0 || place.nic == last) continue;
    last = place.nic;
    could += cluster.nics()[static_cast<std::size_t>(last)].bandwidth;
  }
  if (cluster.domains() > 1 && out.bisection.value > 0) {
    out.oversubscription = std::max(1.0, could / out.bisection);
  }
  return out;
}

}  // namespace moesim
