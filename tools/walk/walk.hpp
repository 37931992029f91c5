// The walk of one scenario, a straight line of values:
//
//   scenario -> build_cluster -> load_profile -> place -> simulate -> collect -> write
//
// Every command that runs scenarios (run, compare, sweep, plan) walks here.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "sim/machine/machine.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/serving/simulation.hpp"
#include "sim/training/training_run.hpp"
#include "tools/report/result.hpp"
#include "tools/report/series.hpp"
#include "tools/walk/step_trace.hpp"

namespace moesim {

// Makes the event engine for a cluster: SimGrid's (one run per process) or the analytic one.
using MakeMachine = std::function<std::unique_ptr<Machine>(Cluster&)>;

// Asked now and then while a run goes on; `share` of the requests or steps has ended. Returns
// false to end the run there.
using Progress = std::function<bool(double share, Seconds simulated)>;

class Walk {
 public:
  // Throws InputError where the scenario's parts do not fit together.
  Walk(const Scenario& scenario, const MakeMachine& make_machine);
  ~Walk();

  // Keeps the steps of a window for trace.pftrace. Before run().
  void trace_steps(const TraceWindow& window);
  // Null without trace_steps, and in training.
  [[nodiscard]] const StepTrace* trace() const { return trace_.get(); }

  // Simulates. False: `progress` ended it early, and the result is partial.
  bool run(const Progress& progress);

  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  [[nodiscard]] const Cluster& cluster() const { return *cluster_; }
  // Of the first GPU.
  [[nodiscard]] const CostModel& costs() const { return costs_->of(GpuId{0}); }
  // Of serving; a law is broken where the scenario trains.
  [[nodiscard]] const Simulation& simulation() const;
  // Null where the scenario serves.
  [[nodiscard]] const TrainingRun* training() const { return training_.get(); }
  // What every run has; a training run has no requests, and no blame.
  [[nodiscard]] const Recorder& recorder() const;
  [[nodiscard]] const Blame* blame() const;
  [[nodiscard]] const Timeline& timeline() const;

  [[nodiscard]] Result result(const std::string& version) const;
  [[nodiscard]] ReportSeries series() const;

 private:
  Scenario scenario_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<ClusterCosts> costs_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Simulation> simulation_;  // serving
  std::unique_ptr<TrainingRun> training_;   // or training
  Recorder no_requests_{{}};
  std::unique_ptr<StepTrace> trace_;
  bool partial_ = false;
};

}  // namespace moesim
