// Every latency that is reported, declared once: what it is called in files and in tables, its
// unit, and the order in which metrics are shown.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace moesim {

// In display order. The first four and queue_time are per request (itl is pooled over all
// tokens), the others per step.
enum class MetricId {
  ttft,
  tpot,
  itl,
  e2el,
  queue_time,
  step_time,
  attention_time,
  dispatch_time,
  expert_time,
  combine_time,
  host_time,
};
inline constexpr std::size_t kMetrics = 11;

struct Metric {
  MetricId id;
  std::string_view tag;           // in JSON, CSV and TOML
  std::string_view header;        // in tables
  std::string_view vllm_header;   // what `vllm bench serve` calls it; empty: it has no word
  std::string_view unit;          // stored in
  std::string_view display_unit;  // shown in
  double display_factor;          // shown = stored x factor
  std::string_view meaning;
};

std::span<const Metric> metric_catalog();
const Metric& metric(MetricId id);
std::optional<MetricId> find_metric(std::string_view tag);

}  // namespace moesim
