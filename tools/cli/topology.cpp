// moesim topology FILE [--format table|json|dot|svg]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/terminal.hpp"
#include "topology/analysis.hpp"

namespace moesim {
namespace {

struct TopologyArguments {
  ScenarioArguments scenario;
  std::string format = "table";
};

double gigabytes(BytesPerSecond rate) { return rate.value / 1e9; }

std::string table(const Cluster& cluster, const NetworkSummary& s) {
  std::string out = fmt::format("{} GPUs in {} nodes, {} NVLink or PCIe domains\n\n",
                                cluster.gpus(), cluster.nodes(), cluster.domains());
  out += fmt::format("{:8} {:>8} {:>12} {:>12}\n", "links", "count", "each GB/s", "all GB/s");
  for (const LinkClass& c : s.classes) {
    out += fmt::format("{:8} {:8} {:12.1f} {:12.1f}\n", to_text(c.kind), c.links,
                       gigabytes(c.each_least), gigabytes(c.all));
  }
  out += fmt::format("\nbisection           {:10.1f} GB/s\n", gigabytes(s.bisection));
  out += fmt::format("oversubscription    {:10.2f}\n", s.oversubscription);
  out += fmt::format("even all-to-all     {:10.1f} GB/s per GPU at most\n",
                     gigabytes(s.all_to_all));
  out += "\nbusiest links of an even all-to-all\n";
  for (const HotLink& hot : s.hot) {
    out += fmt::format("  {:32} {:5.1f} %\n", cluster.link(hot.link).name, 100 * hot.share);
  }
  out += fmt::format("\nsingle points of failure: {}\n", s.single_points.empty() ? "none" : "");
  for (const std::string& name : s.single_points) out += "  " + name + "\n";
  return out;
}

std::string json(const Cluster& cluster, const NetworkSummary& s) {
  nlohmann::ordered_json out;
  out["gpus"] = cluster.gpus();
  out["nodes"] = cluster.nodes();
  out["domains"] = cluster.domains();
  for (const LinkClass& c : s.classes) {
    out["links"].push_back({{"kind", to_text(c.kind)},
                            {"count", c.links},
                            {"each_bytes_per_s", c.each_least.value},
                            {"all_bytes_per_s", c.all.value}});
  }
  out["bisection_bytes_per_s"] = s.bisection.value;
  out["oversubscription"] = s.oversubscription;
  out["all_to_all_bytes_per_s_per_gpu"] = s.all_to_all.value;
  out["hot_links"] = nlohmann::ordered_json::array();
  for (const HotLink& hot : s.hot) {
    out["hot_links"].push_back({{"link", cluster.link(hot.link).name}, {"share", hot.share}});
  }
  out["single_points_of_failure"] = s.single_points;
  return out.dump(2) + "\n";
}

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
  return escaped(name, {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}});
}

std::string dot(const Cluster& cluster) {
  std::string out = "graph cluster {\n  rankdir = BT;\n  node [shape = box];\n";
  for (const Vertex& v : cluster.graph().vertices) {
    out += fmt::format("  \"{}\";\n", in_dot(v.name));
  }
  each_cable(cluster, [&](const Link& link) {
    const auto& vertices = cluster.graph().vertices;
    out += fmt::format("  \"{}\" -- \"{}\"", in_dot(vertices[link.from.index()].name),
                       in_dot(vertices[link.to.index()].name));
    if (std::isfinite(link.bandwidth.value)) {
      out += fmt::format(" [label = \"{:.0f} GB/s\"]", gigabytes(link.bandwidth));
    }
    out += ";\n";
  });
  return out + "}\n";
}

// Rows of boxes by kind, GPUs at the bottom.
std::string svg(const Cluster& cluster) {
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

int topology(const TopologyArguments& arguments) {
  const Cluster cluster = build_cluster(load_scenario(arguments.scenario).cluster);
  if (arguments.format == "dot") {
    print(dot(cluster));
  } else if (arguments.format == "svg") {
    print(svg(cluster));
  } else {
    const NetworkSummary summary = analyse(cluster);
    print(arguments.format == "json" ? json(cluster, summary) : table(cluster, summary));
  }
  return kDone;
}

}  // namespace

Action declare_topology(CLI::App& app) {
  auto arguments = std::make_shared<TopologyArguments>();
  add_scenario_arguments(app, arguments->scenario);
  app.add_option("--format", arguments->format, "table, json, dot or svg")
      ->check(CLI::IsMember({"table", "json", "dot", "svg"}));
  return [arguments] { return topology(*arguments); };
}

}  // namespace moesim
