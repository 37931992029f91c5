// What was promised, and whether it was kept.
#pragma once

#include <string>
#include <vector>

#include "sim/metrics/catalog.hpp"
#include "sim/metrics/options.hpp"
#include "sim/metrics/recorder.hpp"

namespace moesim {

struct SloTarget {
  std::string name;  // "ttft_p99"
  MetricId metric;
  double percentile;  // .5, .9, .99
  Seconds limit;
};

// The promises that are made, in the options' order.
std::vector<SloTarget> slo_targets(const SloOptions& slo);

struct SloVerdict {
  std::string name;
  Seconds limit{0};
  Seconds value{0};
  bool met = false;

  friend bool operator==(const SloVerdict&, const SloVerdict&) = default;
};

// Whether one finished request keeps every promise: for each metric the limit of the highest
// percentile that is promised, as vLLM's goodput takes one limit per metric.
bool is_good(const RequestRecord& request, const std::vector<SloTarget>& targets);

}  // namespace moesim
