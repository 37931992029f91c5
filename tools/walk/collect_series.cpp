#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/walk/collect.hpp"

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

void collect_cdfs(const Recorder& recorder, ReportSeries& series) {
  std::vector<double> ttft;
  std::vector<double> tpot;
  std::vector<double> e2el;
  const auto& records = recorder.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RequestRecord& r = records[i];
    if (r.state != RequestState::finished || !recorder.counts(RequestId{i})) continue;
    ttft.push_back(r.ttft().value);
    e2el.push_back(r.e2el().value);
    if (r.output_tokens > 1) tpot.push_back(r.tpot().value);
  }
  if (!ttft.empty()) series.cdfs.push_back(cdf_of("ttft", ttft));
  if (!tpot.empty()) series.cdfs.push_back(cdf_of("tpot", tpot));
  if (!e2el.empty()) series.cdfs.push_back(cdf_of("e2el", e2el));
}

// Experts of the first instance; the others have the same popularity.
void collect_expert_maps(const Simulation& simulation, ReportSeries& series) {
  const MoeStep& moe = *simulation.moe(0);
  const Placement& placement = moe.placement();
  const auto layers = static_cast<std::size_t>(placement.layers);
  const auto experts = static_cast<std::size_t>(placement.experts);
  const auto ranks = static_cast<std::size_t>(placement.gpus);
  Grid by_expert{{"expert", "", experts, 0, 1, {}},
                 {"layer", "", layers, 0, 1, {}},
                 "load over the layer's mean",
                 "ratio",
                 std::vector<double>(experts * layers, 0.0)};
  Grid by_gpu{{"GPU", "", ranks, 0, 1, {}},
              {"layer", "", layers, 0, 1, {}},
              "load over the layer's mean",
              "ratio",
              std::vector<double>(ranks * layers, 0.0)};
  for (std::size_t l = 0; l < layers; ++l) {
    double total = 0;
    for (std::size_t e = 0; e < experts; ++e) {
      total += static_cast<double>(moe.totals().tokens[l * experts + e]);
    }
    if (total == 0) continue;
    const int layer = static_cast<int>(l);
    for (std::size_t e = 0; e < experts; ++e) {
      const double tokens = static_cast<double>(moe.totals().tokens[l * experts + e]);
      by_expert.at(e, l) = tokens * static_cast<double>(experts) / total;
      const auto slots = placement.replicas(layer, static_cast<int>(e));
      for (const int slot : slots) {
        const int gpu = placement.slot_gpus(layer)[static_cast<std::size_t>(slot)];
        by_gpu.at(static_cast<std::size_t>(gpu), l) +=
            tokens / static_cast<double>(slots.size()) * static_cast<double>(ranks) / total;
      }
    }
  }
  series.expert_layer = std::move(by_expert);
  series.gpu_layer = std::move(by_gpu);
}

}  // namespace

ReportSeries collect_series(const Scenario&, const Cluster&, const Simulation& simulation) {
  ReportSeries series;
  const Timeline& t = simulation.timeline();
  series.tracks = {
      track_of(t, TimelineColumn::waiting, "queue", "Requests waiting", "requests"),
      track_of(t, TimelineColumn::running, "running", "Requests running", "requests"),
      track_of(t, TimelineColumn::input_tokens, "input_tokens_per_s", "Prompt tokens",
               "tokens/s"),
      track_of(t, TimelineColumn::output_tokens, "output_tokens_per_s", "Output tokens",
               "tokens/s"),
      track_of(t, TimelineColumn::step_time, "step_time", "Step time", "s")};
  if (simulation.moe(0) != nullptr) {
    series.tracks.push_back(
        track_of(t, TimelineColumn::balancedness, "balancedness", "Balancedness", "ratio"));
    collect_expert_maps(simulation, series);
  }
  collect_cdfs(simulation.recorder(), series);
  for (const Incident& i : simulation.incidents()) {
    const Seconds end = simulation.duration();
    series.marks.push_back(
        {i.at, i.until < i.at ? end : std::min(i.until, end), i.kind, i.text});
  }
  return series;
}

}  // namespace moesim
