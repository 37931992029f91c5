#include "tools/cli/topology_drawing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace moesim {
namespace {

// One undirected edge per cable: links come in pairs, the first is drawn.
template <class Draw>
void each_cable(const Cluster& cluster, Draw draw) {
  std::map<std::pair<VertexId, VertexId>, bool> drawn;
  for (const Link& link : cluster.graph().links) {
    if (drawn.count({link.to, link.from}) > 0) continue;
    if (drawn.emplace(std::pair(link.from, link.to), true).second) draw(link);
  }
}

// A name of the user's own (an explicit switch) may hold what DOT or SVG read as their own.
std::string escaped(const std::string& name,
                    std::initializer_list<std::pair<char, const char*>> with) {
  std::string out;
  for (const char c : name) {
    const auto* found = std::find_if(with.begin(), with.end(),
                                     [&](const auto& entry) { return entry.first == c; });
    found == with.end() ? out += c : out += found->second;
  }
  return out;
}

std::string in_dot(const std::string& name) {
  return escaped(name, {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}});
}

std::string in_svg(const std::string& name) {
  return escaped(name, {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}});
}

}  // namespace

std::string draw_dot(const Cluster& cluster) {
  std::string out = "graph cluster {\n  rankdir = BT;\n  node [shape = box];\n";
  for (const Vertex& v : cluster.graph().vertices) {
    out += fmt::format("  \"{}\";\n", in_dot(v.name));
  }
  each_cable(cluster, [&](const Link& link) {
    const auto& vertices = cluster.graph().vertices;
    out += fmt::format("  \"{}\" -- \"{}\"", in_dot(vertices[link.from.index()].name),
                       in_dot(vertices[link.to.index()].name));
    if (std::isfinite(link.bandwidth.value)) {
      out += fmt::format(" [label = \"{:.0f} GB/s\"]", link.bandwidth.value / 1e9);
    }
    out += ";\n";
  });
  return out + "}\n";
}

std::string draw_svg(const Cluster& cluster) {
  const auto& vertices = cluster.graph().vertices;
  std::map<int, int> filled;
  std::vector<std::pair<int, int>> at;
  int widest = 0;
  constexpr int kHigh = 8;
  for (const Vertex& v : vertices) {
    const int row = static_cast<int>(v.kind);
    at.emplace_back(20 + 90 * filled[row]++, 30 + 80 * (kHigh - 1 - row));
    widest = std::max(widest, at.back().first + 90);
  }
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"9\">\n",
      widest, 80 * kHigh);
  each_cable(cluster, [&](const Link& link) {
    const auto [x1, y1] = at[link.from.index()];
    const auto [x2, y2] = at[link.to.index()];
    out += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#999\"/>\n",
                       x1 + 40, y1 + 10, x2 + 40, y2 + 10);
  });
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    out += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"80\" height=\"20\" fill=\"#fff\" stroke=\"#333\"/>"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
        at[i].first, at[i].second, at[i].first + 40, at[i].second + 13,
        in_svg(vertices[i].name));
  }
  return out + "</svg>\n";
}

}  // namespace moesim
