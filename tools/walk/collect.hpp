// From what a simulation recorded to what is reported.
#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/serving/simulation.hpp"
#include "tools/report/result.hpp"
#include "tools/report/series.hpp"

namespace moesim {

Result collect_result(const Scenario& scenario, const Cluster& cluster,
                      const ClusterCosts& costs, const Simulation& simulation);

ReportSeries collect_series(const Scenario& scenario, const Cluster& cluster,
                            const Simulation& simulation);

}  // namespace moesim
