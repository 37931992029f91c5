#include "tools/cli/list.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "calibrate/profile.hpp"
#include "calibrate/profiles.hpp"
#include "sim/base/registry.hpp"
#include "sim/base/units_text.hpp"
#include "sim/machine/collective.hpp"
#include "sim/machine/transport.hpp"
#include "sim/metrics/catalog.hpp"
#include "sim/placement/dispatch.hpp"
#include "sim/placement/strategy.hpp"
#include "sim/router/presets.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/serving/balancing/balancing.hpp"
#include "sim/serving/batching/batching.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/terminal.hpp"
#include "topology/fabric.hpp"

namespace moesim {

namespace {

struct Row {
  std::string name;
  std::string summary;
};
using Rows = std::vector<Row>;

struct Kind {
  std::string_view name;
  std::string_view summary;
  Rows (*rows)();
};

// Of any registry: a span of Entry.
template <class Table>
Rows rows_of(const Table& table) {
  Rows rows;
  for (const auto& entry : table) {
    rows.push_back({std::string(entry.name), std::string(entry.summary)});
  }
  return rows;
}

Rows models() {
  Rows rows;
  for (const std::string& name : preset_names("models")) {
    const ModelShape m = read_model(name);
    std::string summary = fmt::format("{:.4g}B parameters, {:.3g}B active, {} layers",
                                      total_params(m) / 1e9, active_params(m) / 1e9, m.layers);
    if (m.experts > 0) summary += fmt::format(", {} experts, top {}", m.experts, m.top_k);
    rows.push_back({name, summary});
  }
  return rows;
}

Rows systems() {
  Rows rows;
  for (const std::string& name : preset_names("systems")) {
    const ClusterOptions c = read_system(name);
    rows.push_back(
        {name, fmt::format("{} x {} per node, {} at {}, {} bf16, NVLink {}, {} NICs of {}",
                           c.node.gpus, c.gpu.name, to_display(c.gpu.memory),
                           to_display(c.gpu.memory_bandwidth), to_display(c.gpu.bf16_flops),
                           to_display(c.node.nvlink_bandwidth), c.node.nics,
                           to_display(c.node.nic_bandwidth))});
  }
  return rows;
}

Rows profiles() {
  Rows rows;
  for (const std::string& name : shipped_profiles()) {
    const auto profile = load_profile(name);
    double best = 1;
    for (const ExpertSection& s : profile->experts) {
      if (s.shapes_left_out.all.points > 0) best = std::min(best, s.shapes_left_out.all.median);
    }
    rows.push_back({name, fmt::format("{} expert, {} GEMM, {} attention kernels; experts of an "
                                      "unmeasured shape within {:.1f} % (median)",
                                      profile->experts.size(), profile->gemms.size(),
                                      profile->attention.size(), 100 * best)});
  }
  return rows;
}

Rows skews() {
  Rows rows;
  for (const RouterPreset& preset : router_presets()) {
    rows.push_back(
        {std::string(preset.name), fmt::format("sigma {}; {}", preset.sigma, preset.evidence)});
  }
  return rows;
}

Rows metrics() {
  Rows rows;
  for (const Metric& metric : metric_catalog()) {
    rows.push_back(
        {std::string(metric.tag), fmt::format("{} ({})", metric.meaning, metric.unit)});
  }
  return rows;
}

// One line per kind.
constexpr Kind kKinds[] = {
    {"models", "model presets: [model] preset", models},
    {"profiles", "kernel profiles: [calibration] profile", profiles},
    {"systems", "cluster presets: [cluster] preset", systems},
    {"skews", "router presets: router.skew", skews},
    {"placements", "placement.strategy", [] { return rows_of(placement_strategies()); }},
    {"dispatch", "placement.dispatch", [] { return rows_of(dispatch_policies()); }},
    {"fabrics", "cluster.fabric", [] { return rows_of(fabrics()); }},
    {"transports", "serving.transport", [] { return rows_of(transports()); }},
    {"networks", "serving.network", [] { return rows_of(collective_models()); }},
    {"batching", "serving.batching", [] { return rows_of(batching_policies()); }},
    {"balancing", "serving.balancing, serving.rank_balancing",
     [] { return rows_of(balancing_policies()); }},
    {"metrics", "latencies in results", metrics},
};

int list(const std::string& kind) {
  const auto* found = std::ranges::find(kKinds, kind, &Kind::name);
  const Rows rows = found->rows();
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  std::string out;
  for (const Row& row : rows) out += fmt::format("{:<{}}  {}\n", row.name, width, row.summary);
  print(out);
  return kDone;
}

}  // namespace

std::vector<std::string> list_kinds() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

Action declare_list(CLI::App& app) {
  auto kind = std::make_shared<std::string>();
  app.add_option("KIND", *kind, "What to list")->required();
  return [kind] {
    const auto names = list_kinds();
    if (std::ranges::find(names, *kind) != names.end()) return list(*kind);
    std::string known;
    for (const Kind& k : kKinds) known += fmt::format("\n  {:<12} {}", k.name, k.summary);
    throw InputError(fmt::format("cannot list '{}'", *kind), "one of" + known,
                     did_you_mean(*kind, names));
  };
}

}  // namespace moesim
