#include "sim/metrics/catalog.hpp"

#include <array>

namespace moesim {

namespace {

constexpr std::array<Metric, kMetrics> kCatalog{{
    {MetricId::ttft, "ttft", "TTFT", "Time to First Token", "s", "ms", 1e3,
     "first token out minus arrival"},
    {MetricId::tpot, "tpot", "TPOT", "Time per Output Token (excl. 1st token)", "s", "ms", 1e3,
     "(end to end - TTFT) / (output tokens - 1), per request"},
    {MetricId::itl, "itl", "ITL", "Inter-token Latency", "s", "ms", 1e3,
     "every gap between consecutive tokens, pooled"},
    {MetricId::e2el, "e2el", "E2E", "End-to-end Latency", "s", "ms", 1e3,
     "last token minus arrival"},
    {MetricId::queue_time, "queue_time", "queue", "", "s", "ms", 1e3,
     "first scheduled minus arrival"},
    {MetricId::step_time, "step_time", "step", "", "s", "ms", 1e3,
     "one forward pass of an instance, host included"},
    {MetricId::attention_time, "attention_time", "attention", "", "s", "ms", 1e3,
     "attention of the slowest rank, all layers of a step"},
    {MetricId::dispatch_time, "dispatch_time", "dispatch", "", "s", "ms", 1e3,
     "tokens to experts over the network, all layers of a step"},
    {MetricId::expert_time, "expert_time", "experts", "", "s", "ms", 1e3,
     "expert compute of the slowest GPU, all layers of a step"},
    {MetricId::combine_time, "combine_time", "combine", "", "s", "ms", 1e3,
     "expert outputs back to their tokens, all layers of a step"},
    {MetricId::host_time, "host_time", "host", "", "s", "ms", 1e3,
     "scheduling and launch overhead of a step"},
}};

}  // namespace

std::span<const Metric> metric_catalog() { return kCatalog; }

const Metric& metric(MetricId id) { return kCatalog[static_cast<std::size_t>(id)]; }

std::optional<MetricId> find_metric(std::string_view tag) {
  for (const Metric& m : kCatalog) {
    if (m.tag == tag) return m.id;
  }
  return std::nullopt;
}

}  // namespace moesim
