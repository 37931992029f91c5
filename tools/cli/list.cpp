#include "tools/cli/list.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "sim/base/registry.hpp"
#include "sim/base/units_text.hpp"
#include "sim/scenario/scenario.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/terminal.hpp"

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
[[maybe_unused]] Rows rows_of(const Table& table) {
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

// One line per kind.
constexpr Kind kKinds[] = {
    {"models", "model presets: [model] preset", models},
    {"systems", "cluster presets: [cluster] preset", systems},
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
