#include <fmt/format.h>

#include <algorithm>

#include "sim/model/shape.hpp"
#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

struct Sums {
  std::int64_t steps = 0;
  std::vector<CauseSeconds> rows;
};

void add(Sums& sums, const PhaseTotals& totals, bool prefill) {
  const auto& rows = totals.rows(prefill);
  sums.steps += totals.steps(prefill);
  sums.rows.resize(rows.size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < kCauses; ++c) sums.rows[r].of[c] += rows[r].of[c];
  }
}

// Causes that took no time at all have no column.
std::vector<std::size_t> columns_of(const Sums& sums) {
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < kCauses; ++c) {
    if (std::ranges::any_of(sums.rows, [&](const CauseSeconds& r) { return r.of[c] > 0; })) {
      columns.push_back(c);
    }
  }
  return columns;
}

Grid grid_of(const Sums& sums, const ModelShape& model) {
  if (sums.steps == 0) return {};
  const std::vector<std::size_t> columns = columns_of(sums);
  Grid grid{{"layer", "", sums.rows.size(), 0, 1, layer_labels(model)},
            {"phase", "", columns.size(), 0, 1, {}},
            "time per step",
            "s",
            {}};
  for (const std::size_t c : columns) {
    grid.columns.labels.emplace_back(to_text(static_cast<Cause>(c)));
  }
  for (const CauseSeconds& row : sums.rows) {
    for (const std::size_t c : columns) {
      grid.values.push_back(row.of[c] / static_cast<double>(sums.steps));
    }
  }
  return grid;
}

}  // namespace

std::vector<std::string> layer_labels(const ModelShape& model) {
  std::vector<std::string> labels;
  int dense = 0;
  int moe = 0;
  for (int layer = 0; layer < model.layers; ++layer) {
    labels.push_back(is_moe_layer(model, layer) ? fmt::format("{}", moe++)
                                                : fmt::format("d{}", dense++));
  }
  labels.emplace_back("other");
  return labels;
}

void collect_phases(const Scenario& scenario, const Simulation& simulation,
                    ReportSeries& series) {
  Sums all;
  Sums prefill;
  Sums decode;
  for (int i = 0; i < simulation.instances(); ++i) {
    const PhaseTotals& totals = simulation.instance(i).model().phases();
    for (const bool prompts : {true, false}) {
      add(all, totals, prompts);
      add(prompts ? prefill : decode, totals, prompts);
    }
  }
  series.phases_step = grid_of(all, scenario.model);
  series.phases_prefill = grid_of(prefill, scenario.model);
  series.phases_decode = grid_of(decode, scenario.model);
}

}  // namespace moesim
