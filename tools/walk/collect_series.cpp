#include <cmath>
#include <limits>

#include "tools/walk/collect.hpp"
#include "tools/walk/series_parts.hpp"

namespace moesim {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Track track_of(const Timeline& timeline, TimelineColumn column, std::string name,
               std::string label, std::string unit) {
  Track track{std::move(name), std::move(label),     std::move(unit),
              Seconds{0},      timeline.bin_width(), {}};
  const int c = static_cast<int>(column);
  for (std::size_t bin = 0; bin < timeline.bins(); ++bin) {
    track.values.push_back(timeline.has(c, bin) ? timeline.value(c, bin) : kNone);
  }
  return track;
}

}  // namespace

ReportSeries collect_series(const Scenario& scenario, const Cluster& cluster,
                            const Simulation& simulation) {
  ReportSeries series;
  const Timeline& t = simulation.timeline();
  series.tracks = {
      track_of(t, TimelineColumn::waiting, "queue", "Requests waiting", "requests"),
      track_of(t, TimelineColumn::running, "running", "Requests running", "requests"),
      track_of(t, TimelineColumn::input_tokens, "input_tokens_per_s", "Prompt tokens",
               "tokens/s"),
      track_of(t, TimelineColumn::output_tokens, "output_tokens_per_s", "Output tokens",
               "tokens/s"),
      track_of(t, TimelineColumn::step_time, "step_time", "Step time", "s"),
      track_of(t, TimelineColumn::batch_tokens, "batch_tokens", "Tokens per step", "tokens"),
      track_of(t, TimelineColumn::kv_used, "kv_used", "KV blocks in use", "ratio")};
  if (simulation.moe(0) != nullptr) {
    series.tracks.push_back(
        track_of(t, TimelineColumn::balancedness, "balancedness", "Balancedness", "ratio"));
  }
  collect_phases(scenario, simulation, series);
  collect_cdfs(simulation.recorder(), series);
  collect_usage(cluster, simulation, series);
  collect_experts(cluster, simulation, series);
  collect_marks(scenario, simulation.duration(), series);
  return series;
}

}  // namespace moesim
