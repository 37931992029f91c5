// Several runs of one scenario with different seeds, as one result.
#pragma once

#include <vector>

#include "sim/metrics/options.hpp"
#include "tools/report/result.hpp"

namespace moesim {

// Latencies, rates and counts pooled with intervals over the runs; utilization, balance and
// cost as means; what names GPUs, links, layers, experts or blame is the first run's, and a
// note says so. Not empty; in the order of the seeds.
Result pool_results(const std::vector<Result>& runs, const SloOptions& slo);

}  // namespace moesim
