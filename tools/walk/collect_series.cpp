#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/walk/collect.hpp"
#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Track track_of(const Timeline& timeline, int column, std::string name, std::string label,
               std::string unit) {
  Track track{std::move(name), std::move(label),     std::move(unit),
              Seconds{0},      timeline.bin_width(), {}};
  for (std::size_t bin = 0; bin < timeline.bins(); ++bin) {
    track.values.push_back(timeline.has(column, bin) ? timeline.value(column, bin) : kNone);
  }
  return track;
}

ReportSeries collect_series(const Scenario& scenario, const Cluster& cluster,
                            const Simulation& simulation) {
  ReportSeries series;
  const Timeline& t = simulation.timeline();
  const auto column = [&](TimelineColumn c, const char* name, const char* label,
                          const char* unit) {
    return track_of(t, static_cast<int>(c), name, label, unit);
  };
  series.tracks = {
      column(TimelineColumn::waiting, "queue", "Requests waiting", "requests"),
      column(TimelineColumn::running, "running", "Requests running", "requests"),
      column(TimelineColumn::input_tokens, "input_tokens_per_s", "Prompt tokens", "tokens/s"),
      column(TimelineColumn::output_tokens, "output_tokens_per_s", "Output tokens", "tokens/s"),
      column(TimelineColumn::step_time, "step_time", "Step time", "s"),
      column(TimelineColumn::batch_tokens, "batch_tokens", "Tokens per step", "tokens"),
      column(TimelineColumn::kv_used, "kv_used", "KV blocks in use", "ratio")};
  if (simulation.moe(0) != nullptr) {
    series.tracks.push_back(
        column(TimelineColumn::balancedness, "balancedness", "Balancedness", "ratio"));
  }
  collect_phases(scenario, simulation, series);
  collect_cdfs(simulation.recorder(), series);
  collect_usage(cluster, simulation, series);
  collect_experts(cluster, simulation.parallel().moe_tp, simulation.moe(0), series);
  collect_marks(scenario, simulation.duration(), series);
  for (const Incident& i : simulation.incidents()) {
    const Seconds end = simulation.duration();
    series.marks.push_back(
        {i.at, i.until < i.at ? end : std::min(i.until, end), i.kind, i.text});
  }
  return series;
}

}  // namespace moesim
