// From what a simulation recorded to what is reported.
#pragma once

#include "calibrate/cost_model.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/serving/simulation.hpp"
#include "tools/report/result.hpp"
#include "tools/report/series.hpp"

namespace moesim {

Result collect_result(const Scenario& scenario, const Cluster& cluster, const CostModel& costs,
                      const Simulation& simulation);

// Fills what the routers' watches know; after the layers and experts of the result.
void collect_router(const Scenario& scenario, const Simulation& simulation, Result& result);

ReportSeries collect_series(const Scenario& scenario, const Cluster& cluster,
                            const Simulation& simulation);

// Flops that a token needs: two per parameter it uses, without embeddings and scores.
Flops flops_per_token(const ModelShape& model);

// What the GPU can do per second in the dtype of the model's weights.
FlopsPerSecond peak_flops(const GpuSpec& gpu, Dtype weights);

}  // namespace moesim
