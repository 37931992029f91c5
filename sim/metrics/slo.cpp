#include "sim/metrics/slo.hpp"

namespace moesim {

std::vector<SloTarget> slo_targets(const SloOptions& slo) {
  const SloTarget all[] = {
      {"ttft_p50", MetricId::ttft, 0.5, slo.ttft_p50},
      {"ttft_p90", MetricId::ttft, 0.9, slo.ttft_p90},
      {"ttft_p99", MetricId::ttft, 0.99, slo.ttft_p99},
      {"tpot_p50", MetricId::tpot, 0.5, slo.tpot_p50},
      {"tpot_p90", MetricId::tpot, 0.9, slo.tpot_p90},
      {"tpot_p99", MetricId::tpot, 0.99, slo.tpot_p99},
      {"e2el_p50", MetricId::e2el, 0.5, slo.e2el_p50},
      {"e2el_p90", MetricId::e2el, 0.9, slo.e2el_p90},
      {"e2el_p99", MetricId::e2el, 0.99, slo.e2el_p99},
  };
  std::vector<SloTarget> made;
  for (const SloTarget& target : all) {
    if (target.limit.value > 0) made.push_back(target);
  }
  return made;
}

bool is_good(const RequestRecord& request, const std::vector<SloTarget>& targets) {
  const auto value = [&](MetricId id) {
    return id == MetricId::ttft ? request.ttft()
                                : (id == MetricId::tpot ? request.tpot() : request.e2el());
  };
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const bool highest = i + 1 == targets.size() || targets[i + 1].metric != targets[i].metric;
    if (highest && value(targets[i].metric) > targets[i].limit) return false;
  }
  return true;
}

}  // namespace moesim
