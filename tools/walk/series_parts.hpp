// The parts of ReportSeries, each from what the simulation kept.
//
// MoE layers are counted from 0, as in result.json; a model's dense layers are named d0, d1,
// ...
#pragma once

#include "sim/scenario/scenario.hpp"
#include "sim/serving/simulation.hpp"
#include "tools/report/series.hpp"

namespace moesim {

// phases_step, phases_prefill, phases_decode: seconds per step, mean over the steps of all
// instances; the cells of phases_step add up to the mean step time.
void collect_phases(const Scenario& scenario, const Simulation& simulation,
                    ReportSeries& series);

// gpu_time: computing share of time. link_time: share of the peak of the `kLinksShown` links
// that were used most. node_traffic: bytes over the run. gpu_utilization: the mean over GPUs.
inline constexpr std::size_t kLinksShown = 24;
void collect_usage(const Cluster& cluster, const Simulation& simulation, ReportSeries& series);
void collect_node_traffic(const Cluster& cluster,
                          const std::vector<const MoeNetwork*>& networks, ReportSeries& series);

// expert_layer, gpu_layer, placement: of one EP group (null: none); the others have the same
// popularity.
void collect_experts(const Cluster& cluster, int gpus_per_rank, const MoeStep* moe,
                     ReportSeries& series);

// A timeline's column as a track.
Track track_of(const Timeline& timeline, int column, std::string name, std::string label,
               std::string unit);

// Names of the rows of phases_step: MoE layers by number, dense ones d0, d1 ..., "other".
std::vector<std::string> layer_labels(const ModelShape& model);

// ttft, tpot, e2el over all requests and by tenant.
void collect_cdfs(const Recorder& recorder, ReportSeries& series);

// Surges of the scenario that lie within the run; faults are the simulation's incidents.
void collect_marks(const Scenario& scenario, Seconds duration, ReportSeries& series);

}  // namespace moesim
