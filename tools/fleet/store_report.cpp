#include "tools/fleet/store_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/fleet/figures.hpp"
#include "tools/report/assets.hpp"
#include "tools/report/html.hpp"
#include "tools/report/table.hpp"

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kShown[] = {"ttft_p99",
                                       "tpot_p99",
                                       "e2el_p99",
                                       "goodput",
                                       "output_tokens_per_s",
                                       "gpu_utilization",
                                       "usd_per_million_tokens"};

// No control characters onto a terminal.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

}  // namespace

std::string store_table(const StoreContent& store) {
  std::vector<std::vector<std::string>> rows{{}};
  for (const std::string& key : store.keys) rows[0].push_back(printable(key));
  for (const std::string_view tag : kShown) {
    const Figure& figure = figure_catalog()[figure_index(tag)];
    rows[0].push_back(figure.display_unit.empty()
                          ? std::string(figure.header)
                          : fmt::format("{} ({})", figure.header, figure.display_unit));
  }
  rows[0].emplace_back("SLOs");
  std::string failures;
  for (const StoredRun& run : store.runs) {
    if (!run.done) {
      std::string settings;
      for (const std::string& value : run.settings) {
        settings += (settings.empty() ? "" : ", ") + value;
      }
      failures += printable(fmt::format("failed: {}: {}", settings, run.error)) + "\n";
      continue;
    }
    std::vector<std::string> row;
    for (const std::string& value : run.settings) row.push_back(printable(value));
    for (const std::string_view tag : kShown) {
      const std::size_t f = figure_index(tag);
      row.push_back(figure_text(figure_catalog()[f], run.figures[f]));
    }
    row.emplace_back(run.slo_met ? "met" : "missed");
    rows.push_back(std::move(row));
  }
  return align(rows) + (failures.empty() ? "" : "\n" + failures);
}

std::string store_html(const StoreContent& store) {
  Json figures = Json::array();
  for (const Figure& f : figure_catalog()) {
    figures.push_back({{"tag", f.tag}, {"header", f.header}, {"unit", f.unit}});
  }
  Json runs = Json::array();
  for (const StoredRun& run : store.runs) {
    runs.push_back({{"settings", run.settings},
                    {"figures", run.figures},  // NaN becomes null
                    {"error", run.done ? "" : run.error}});
  }
  const Json sweep{
      {"scenario", store.scenario}, {"keys", store.keys}, {"figures", figures}, {"runs", runs}};
  return page_html(sweep_script(),
                   {{"sweep", sweep.dump(-1, ' ', false, Json::error_handler_t::replace)}});
}

}  // namespace moesim
