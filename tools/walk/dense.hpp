// The dense model that an MoE scenario is compared with, on the same cluster and load.
#pragma once

#include <string>

#include "sim/scenario/scenario.hpp"
#include "tools/report/result.hpp"

namespace moesim {

// `which`: "active" or "total" for a model of the same depth, width and attention whose FFN has
// as many parameters as a token of the MoE model uses, or as it has; else a model preset. GPUs
// are divided into engines of the smallest serving.tp, no smaller than the scenario's, in which
// the weights fit beside the KV of a mean request. Throws InputError where none does.
Scenario dense_counterpart(const Scenario& scenario, const std::string& which);

// The two side by side: latency, throughput, utilization, cost, energy; with ratios.
std::string compare_with_dense(const Result& moe, const Result& dense);

}  // namespace moesim
