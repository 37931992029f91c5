// A run in figures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/metrics/catalog.hpp"
#include "sim/metrics/intervals.hpp"
#include "sim/metrics/options.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/metrics/slo.hpp"

namespace moesim {

// Below this a p99 rests on fewer than ten values beyond it.
inline constexpr std::int64_t kEnoughForP99 = 1000;

// Base units (seconds). All zero when count is zero.
struct MetricSummary {
  MetricId id = MetricId::ttft;
  std::int64_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double max = 0;
  bool small_sample = false;  // fewer than kEnoughForP99 values
  // 95 %; of one run by batches, of several by replications; absent where there is too little,
  // and for pooled metrics of one run.
  std::optional<Interval> mean_interval = {};
  std::optional<Interval> p50_interval = {};
  std::optional<Interval> p99_interval = {};

  friend bool operator==(const MetricSummary&, const MetricSummary&) = default;
};

// Requests of the counted ones (after the warm-up), by how they ended.
struct RequestCounts {
  std::int64_t arrived = 0;
  std::int64_t finished = 0;
  std::int64_t shed = 0;
  std::int64_t failed = 0;
  std::int64_t unfinished = 0;
  std::int64_t preemptions = 0;
  std::int64_t warmup = 0;  // not counted above

  friend bool operator==(const RequestCounts&, const RequestCounts&) = default;
};

// Over the window from the first counted arrival to the last event: what finished and which
// tokens were processed in it, whenever their request arrived.
struct Throughput {
  Seconds duration{0};
  PerSecond requests{0};
  TokensPerSecond output_tokens{0};
  TokensPerSecond total_tokens{0};
  PerSecond goodput{0};  // finished requests that keep every promise

  friend bool operator==(const Throughput&, const Throughput&) = default;
};

struct TenantSummary {
  std::string name;
  RequestCounts requests;
  std::vector<MetricSummary> metrics;  // the per-request ones

  friend bool operator==(const TenantSummary&, const TenantSummary&) = default;
};

struct Summary {
  RequestCounts requests;
  std::vector<MetricSummary> metrics;  // in the catalog's order; those with values
  Throughput throughput;
  std::vector<SloVerdict> slo;
  std::vector<TenantSummary> tenants;
  // What MSER-5 would drop of the TTFTs, where that is more than the warm-up and their mean
  // would leave its interval: the figures still hold the start.
  std::int64_t suggested_warmup = 0;

  [[nodiscard]] const MetricSummary* find(MetricId id) const;
  [[nodiscard]] bool slo_met() const;

  friend bool operator==(const Summary&, const Summary&) = default;
};

Summary summarize(const Recorder& recorder, const SloOptions& slo);

// One figure per replication pooled into one: means of the figures, intervals over the
// replications, sums of the counts. All from the same scenario.
Summary pool_replications(const std::vector<Summary>& runs, const SloOptions& slo);

// A promise whose metric has no value is not met.
std::vector<SloVerdict> judge(const Summary& summary, const std::vector<SloTarget>& targets);

// Exact figures of values in their order of time.
MetricSummary summarize_values(MetricId id, const std::vector<double>& in_order);
MetricSummary summarize_sketch(MetricId id, const QuantileSketch& sketch);

}  // namespace moesim
