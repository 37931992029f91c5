// moesim topology FILE [--format table|json|dot|svg]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/step_traffic.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/cli/topology_drawing.hpp"
#include "topology/analysis.hpp"

namespace moesim {
namespace {

struct TopologyArguments {
  ScenarioArguments scenario;
  std::string format = "table";
};

double gigabytes(BytesPerSecond rate) { return rate.value / 1e9; }

struct StepLinks {
  std::string what;  // empty: the scenario sends nothing from step to step
  std::vector<HotLink> hot;
};

std::string hot_lines(const Cluster& cluster, const std::vector<HotLink>& links) {
  std::string out;
  for (const HotLink& hot : links) {
    out += fmt::format("  {:32} {:5.1f} %\n", cluster.link(hot.link).name, 100 * hot.share);
  }
  return out;
}

std::string table(const Cluster& cluster, const NetworkSummary& s, const StepLinks& step) {
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
  out += hot_lines(cluster, s.hot);
  if (!step.what.empty()) {
    out += "\nbusiest links of a step: " + step.what + "\n" + hot_lines(cluster, step.hot);
  }
  out += fmt::format("\nsingle points of failure: {}\n", s.single_points.empty() ? "none" : "");
  for (const std::string& name : s.single_points) out += "  " + name + "\n";
  return out;
}

nlohmann::ordered_json hot_json(const Cluster& cluster, const std::vector<HotLink>& links) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const HotLink& hot : links) {
    out.push_back({{"link", cluster.link(hot.link).name}, {"share", hot.share}});
  }
  return out;
}

std::string json(const Cluster& cluster, const NetworkSummary& s, const StepLinks& step) {
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
  out["hot_links"] = hot_json(cluster, s.hot);
  out["step_traffic"] = step.what;
  out["step_hot_links"] = hot_json(cluster, step.hot);
  out["single_points_of_failure"] = s.single_points;
  return out.dump(2) + "\n";
}

int topology(const TopologyArguments& arguments) {
  const Scenario scenario = load_scenario(arguments.scenario);
  const Cluster cluster = build_cluster(scenario.cluster);
  if (arguments.format == "dot") {
    print(draw_dot(cluster));
  } else if (arguments.format == "svg") {
    print(draw_svg(cluster));
  } else {
    const NetworkSummary summary = analyse(cluster);
    const StepTraffic traffic = step_traffic(scenario, cluster);
    const StepLinks step{traffic.what, hottest(cluster, traffic.bytes, 8)};
    print(arguments.format == "json" ? json(cluster, summary, step)
                                     : table(cluster, summary, step));
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
