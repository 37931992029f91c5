// From what a training run recorded to what is reported.
#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/training/training_run.hpp"
#include "tools/report/result.hpp"
#include "tools/report/series.hpp"

namespace moesim {

Result collect_training(const Scenario& scenario, const Cluster& cluster,
                        const ClusterCosts& costs, const TrainingRun& run);

// phases_step as in serving (rows: layers; the cells add up to the step time), the
// experts' loads and placement, and the steps over time.
ReportSeries collect_training_series(const Scenario& scenario, const Cluster& cluster,
                                     const TrainingRun& run);

// Flops that a step of training needs per token, whatever is computed again: 6 N + 12 L H Q T
// (PaLM, 2204.02311, appendix B), with N the parameters that multiply a token (the input
// embedding is looked up), and of each layer H heads of width Q over T tokens, or over the
// attention's window. Linear attention's scores are left out.
Flops training_flops_per_token(const ModelShape& model, int sequence);

}  // namespace moesim
