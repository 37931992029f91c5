#include "tools/walk/walk.hpp"

#include "sim/base/errors.hpp"
#include "tools/walk/collect.hpp"
#include "tools/walk/collect_training.hpp"

namespace moesim {

namespace {

Deployment deployment_of(const Scenario& scenario, Cluster& cluster,
                         const ClusterCosts& costs) {
  return {.model = scenario.model,
          .cluster = cluster,
          .costs = costs,
          .serving = scenario.serving,
          .placement = scenario.placement,
          .router = scenario.router,
          .traffic = scenario.traffic,
          .faults = scenario.faults,
          .scales = scenario.scales,
          .requests = scenario.requests,
          .seed = scenario.seed};
}

TrainingDeployment training_of(const Scenario& scenario, const Cluster& cluster,
                               const ClusterCosts& costs) {
  return {.model = scenario.model,
          .cluster = cluster,
          .costs = costs,
          .training = scenario.training,
          .serving = scenario.serving,
          .placement = scenario.placement,
          .router = scenario.router,
          .seed = scenario.seed};
}

}  // namespace

Walk::Walk(const Scenario& scenario, const MakeMachine& make_machine)
    : scenario_(scenario),
      cluster_(std::make_unique<Cluster>(build_cluster(scenario.cluster))),
      costs_(std::make_unique<ClusterCosts>(*cluster_, scenario.calibration)) {
  if (scenario_.serving.mode == ServingMode::training) {
    training_ = std::make_unique<TrainingRun>(training_of(scenario_, *cluster_, *costs_));
    return;
  }
  machine_ = make_machine(*cluster_);
  simulation_ =
      std::make_unique<Simulation>(deployment_of(scenario_, *cluster_, *costs_), *machine_);
}

Walk::~Walk() = default;

const Simulation& Walk::simulation() const {
  MOESIM_LAW(simulation_ != nullptr, "only a scenario that serves has requests");
  return *simulation_;
}

const Recorder& Walk::recorder() const {
  return simulation_ ? simulation_->recorder() : no_requests_;
}

const Blame* Walk::blame() const { return simulation_ ? &simulation_->blame() : nullptr; }

const Timeline& Walk::timeline() const {
  return simulation_ ? simulation_->timeline() : training_->timeline();
}

void Walk::trace_steps(const TraceWindow& window) {
  if (!simulation_) return;
  trace_ = std::make_unique<StepTrace>(window, *simulation_, *cluster_);
  simulation_->observe_plans(
      [this](int instance, Seconds now) { trace_->planned(instance, now); });
  simulation_->observe_steps(
      [this](int instance, const StepReport& report, Seconds begin, Seconds end) {
        trace_->step(instance, report, begin, end);
      });
}

bool Walk::run(const Progress& progress) {
  if (training_) {
    training_->run([&](int steps, Seconds now) {
      const bool go_on = progress(static_cast<double>(steps) / scenario_.training.steps, now);
      partial_ = partial_ || (!go_on && steps < scenario_.training.steps);
      return go_on;
    });
    return !partial_;
  }
  const double requests = std::max(1, scenario_.requests);
  simulation_->run([&](std::int64_t ended, Seconds now) {
    const bool go_on = progress(static_cast<double>(ended) / requests, now);
    partial_ = partial_ || !go_on;
    return go_on;
  });
  return !partial_;
}

Result Walk::result(const std::string& version) const {
  Result result = training_ ? collect_training(scenario_, *cluster_, *costs_, *training_)
                            : collect_result(scenario_, *cluster_, *costs_, *simulation_);
  result.version = version;
  result.partial = partial_;
  return result;
}

ReportSeries Walk::series() const {
  return training_ ? collect_training_series(scenario_, *cluster_, *training_)
                   : collect_series(scenario_, *cluster_, *simulation_);
}

}  // namespace moesim
