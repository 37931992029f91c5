// One run: requests arrive, instances step, everything is recorded. From a deployment (plain
// values) to the records that results are made of.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/cost_model.hpp"
#include "sim/machine/ledger.hpp"
#include "sim/machine/machine.hpp"
#include "sim/metrics/blame.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/metrics/timeline.hpp"
#include "sim/model/shape.hpp"
#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"
#include "sim/router/options.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/memory.hpp"
#include "sim/serving/options.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/usage_history.hpp"
#include "sim/workload/options.hpp"
#include "sim/workload/source.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// What is simulated. References outlive the simulation.
struct Deployment {
  const ModelShape& model;
  Cluster& cluster;
  const CostModel& costs;
  ServingOptions serving;
  PlacementOptions placement;
  RouterOptions router;
  TrafficOptions traffic;
  std::int64_t requests = 0;
  std::uint64_t seed = 1;
};

// Columns of the timeline, in this order.
enum class TimelineColumn {
  waiting,
  running,
  input_tokens,
  output_tokens,
  step_time,
  balancedness,
  batch_tokens,
  kv_used
};

class Simulation {
 public:
  // Throws InputError where the deployment cannot be: the model does not fit, numbers do not
  // divide, an unknown policy.
  Simulation(const Deployment& deployment, Machine& machine);
  ~Simulation();

  // Asked after every step; `ended` requests have finished, been shed or failed. False ends the
  // run there; what has finished stays recorded.
  using Watch = std::function<bool(std::int64_t ended, Seconds now)>;

  // Told of every step when it has ended; for timelines. Before run().
  using StepObserver =
      std::function<void(int instance, const StepReport& report, Seconds begin, Seconds end)>;
  void observe_steps(StepObserver observer) { observer_ = std::move(observer); }

  // Runs until every request has ended.
  void run(const Watch& watch = {});

  [[nodiscard]] const Parallelism& parallel() const { return parallel_; }
  [[nodiscard]] const MemoryPlan& memory() const { return memory_; }
  [[nodiscard]] const Recorder& recorder() const { return *recorder_; }
  [[nodiscard]] const Blame& blame() const { return *blame_; }
  [[nodiscard]] const Timeline& timeline() const { return *timeline_; }
  [[nodiscard]] const LinkLedger& ledger() const { return *ledger_; }
  [[nodiscard]] const UsageHistory& usage() const { return *usage_; }
  [[nodiscard]] const LayerCosts& costs() const { return *layer_costs_; }
  // Of the tenants, distinct, as the routers number them.
  [[nodiscard]] const std::vector<std::string>& domains() const { return domains_; }
  [[nodiscard]] int instances() const { return static_cast<int>(instances_.size()); }
  [[nodiscard]] const Instance& instance(int i) const {
    return *instances_[static_cast<std::size_t>(i)];
  }
  // Null for a dense model.
  [[nodiscard]] const MoeStep* moe(int i) const {
    return moe_.empty() ? nullptr : moe_[static_cast<std::size_t>(i)].get();
  }
  // Null where no tokens are sent to experts.
  [[nodiscard]] const MoeNetwork* network(int i) const {
    return networks_.empty() ? nullptr : networks_[static_cast<std::size_t>(i)].get();
  }
  [[nodiscard]] Seconds duration() const { return end_; }

 private:
  void build_instances();
  void build_experts(int id);
  std::unique_ptr<StepModel> build_step_model(int id);
  std::vector<AttentionRank> build_ranks(int id) const;
  InstanceHooks hooks_for(int id);
  void arrive(const Request& request);
  void submit(const Request& request);  // to an instance, when the server has read it
  void await_next();
  void request_done(Seconds now);
  void note_queues(Seconds now);
  void step_ended(int id, const StepReport& report, Seconds begin, Seconds end);

  Deployment deployment_;
  Machine& machine_;
  Parallelism parallel_;
  MemoryPlan memory_;
  std::optional<RequestSource> source_;
  std::vector<std::string> domains_;
  std::vector<int> domain_of_tenant_;
  std::unique_ptr<LayerCosts> layer_costs_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Blame> blame_;
  std::unique_ptr<Timeline> timeline_;
  std::unique_ptr<LinkLedger> ledger_;
  std::unique_ptr<UsageHistory> usage_;
  std::vector<std::unique_ptr<Router>> routers_;
  std::vector<std::unique_ptr<MoeStep>> moe_;
  std::vector<std::unique_ptr<MoeNetwork>> networks_;
  std::vector<std::unique_ptr<Instance>> instances_;
  Balance balance_;
  BalanceState balance_state_;
  Seconds end_{0};
  std::int64_t ended_ = 0;
  Watch watch_;
  StepObserver observer_;
};

}  // namespace moesim
