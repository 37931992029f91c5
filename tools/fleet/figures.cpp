#include "tools/fleet/figures.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

template <MetricId id, double MetricSummary::*figure>
double latency(const Result& result) {
  const MetricSummary* m = result.summary.find(id);
  return m != nullptr && m->count > 0 ? m->*figure : kNone;
}

constexpr auto kP50 = &MetricSummary::p50;
constexpr auto kP99 = &MetricSummary::p99;

using R = const Result&;
constexpr Figure kFigures[] = {
    {"ttft_p50", "TTFT p50", "s", "ms", 1e3, Better::lower, latency<MetricId::ttft, kP50>},
    {"ttft_p99", "TTFT p99", "s", "ms", 1e3, Better::lower, latency<MetricId::ttft, kP99>},
    {"tpot_p50", "TPOT p50", "s", "ms", 1e3, Better::lower, latency<MetricId::tpot, kP50>},
    {"tpot_p99", "TPOT p99", "s", "ms", 1e3, Better::lower, latency<MetricId::tpot, kP99>},
    {"itl_p50", "ITL p50", "s", "ms", 1e3, Better::lower, latency<MetricId::itl, kP50>},
    {"itl_p99", "ITL p99", "s", "ms", 1e3, Better::lower, latency<MetricId::itl, kP99>},
    {"e2el_p50", "E2E p50", "s", "ms", 1e3, Better::lower, latency<MetricId::e2el, kP50>},
    {"e2el_p99", "E2E p99", "s", "ms", 1e3, Better::lower, latency<MetricId::e2el, kP99>},
    {"requests_per_s", "Requests", "1/s", "req/s", 1, Better::higher,
     [](R r) { return r.summary.throughput.requests.value; }},
    {"output_tokens_per_s", "Output tokens", "tokens/s", "tok/s", 1, Better::higher,
     [](R r) { return r.summary.throughput.output_tokens.value; }},
    {"goodput", "Goodput", "1/s", "req/s", 1, Better::higher,
     [](R r) { return r.summary.throughput.goodput.value; }},
    {"balancedness", "Balancedness", "ratio", "", 1, Better::higher,
     [](R r) { return r.balance.balancedness; }},
    {"gpu_utilization", "GPU utilization", "ratio", "%", 100, Better::higher,
     [](R r) { return r.utilization.gpu; }},
    {"step_time_p50", "Step", "s", "ms", 1e3, Better::lower,
     latency<MetricId::step_time, kP50>},
    {"total_tokens_per_s", "All tokens", "tokens/s", "tok/s", 1, Better::higher,
     [](R r) { return r.summary.throughput.total_tokens.value; }},
    {"achieved_flops", "Flops of peak", "ratio", "%", 100, Better::higher,
     [](R r) { return r.utilization.achieved_flops; }},
    {"usd_per_million_tokens", "Price", "USD", "$/Mtok", 1, Better::lower,
     [](R r) { return r.cost.per_million_tokens.value; }},
};

}  // namespace

std::span<const Figure> figure_catalog() { return kFigures; }

std::vector<double> figures_of(const Result& result) {
  std::vector<double> values;
  for (const Figure& figure : kFigures) values.push_back(figure.of(result));
  return values;
}

std::size_t figure_index(std::string_view tag) {
  for (std::size_t i = 0; i < std::size(kFigures); ++i) {
    if (kFigures[i].tag == tag) return i;
  }
  MOESIM_LAW(false, "a figure that is asked for is in the catalog");
}

std::string figure_text(const Figure& figure, double value) {
  if (std::isnan(value)) return "-";
  const double shown = value * figure.display_factor;
  const double size = std::abs(shown);
  const int decimals = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
  return fmt::format("{:.{}f}", shown, decimals);
}

}  // namespace moesim
