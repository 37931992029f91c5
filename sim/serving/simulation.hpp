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

#include "sim/machine/ledger.hpp"
#include "sim/machine/machine.hpp"
#include "sim/metrics/blame.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/metrics/timeline.hpp"
#include "sim/model/shape.hpp"
#include "sim/placement/options.hpp"
#include "sim/placement/placement.hpp"
#include "sim/router/options.hpp"
#include "sim/serving/cluster_costs.hpp"
#include "sim/serving/gpu_health.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/memory.hpp"
#include "sim/serving/options.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/pools.hpp"
#include "sim/serving/rebalancer.hpp"
#include "sim/serving/usage_history.hpp"
#include "sim/workload/options.hpp"
#include "sim/workload/source.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// What is simulated. References outlive the simulation.
struct Deployment {
  const ModelShape& model;
  Cluster& cluster;
  const ClusterCosts& costs;
  ServingOptions serving;
  PlacementOptions placement;
  RouterOptions router;
  TrafficOptions traffic;
  std::vector<FaultOptions> faults = {};
  std::vector<ScaleOptions> scales = {};
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

  // Told when an instance has planned a step, before the step is priced; a step without tokens
  // never begins. Before run().
  using PlanObserver = std::function<void(int instance, Seconds now)>;
  void observe_plans(PlanObserver observer) { plan_observer_ = std::move(observer); }

  // Runs until every request has ended.
  void run(const Watch& watch = {});

  // Where an instance runs, and as what.
  [[nodiscard]] const Pool& pool(int instance) const { return pools_[site(instance).pool]; }
  [[nodiscard]] GpuId first_gpu(int instance) const { return site(instance).first; }
  // Of the first pool.
  [[nodiscard]] const Parallelism& parallel() const { return pools_.front().parallel; }
  // Of the pool that keeps the KV of running requests.
  [[nodiscard]] const MemoryPlan& memory() const { return pools_.back().memory; }
  [[nodiscard]] const Recorder& recorder() const { return *recorder_; }
  [[nodiscard]] const Blame& blame() const { return *blame_; }
  [[nodiscard]] const Timeline& timeline() const { return *timeline_; }
  [[nodiscard]] const LinkLedger& ledger() const { return *ledger_; }
  [[nodiscard]] const UsageHistory& usage() const { return *usage_; }
  // Of the first pool's GPUs, on the kind of its first one.
  [[nodiscard]] const LayerCosts& costs() const {
    return pool_costs_.front().of(GpuId{pools_.front().first_gpu});
  }
  // Of attention and dense kernels, each kind of GPU once.
  [[nodiscard]] std::vector<KernelOrigin> kernel_origins() const;
  // Of the tenants, distinct, as the routers number them.
  [[nodiscard]] const std::vector<std::string>& domains() const { return domains_; }
  [[nodiscard]] const std::vector<int>& domain_of_tenant() const { return domain_of_tenant_; }
  // Faults and rebalances, in order of their beginning.
  [[nodiscard]] const std::vector<Incident>& incidents() const { return incidents_; }
  // Requests that lost their GPU and began anew.
  [[nodiscard]] std::int64_t retries() const { return retries_; }
  [[nodiscard]] int instances() const { return static_cast<int>(instances_.size()); }
  [[nodiscard]] const Instance& instance(int i) const {
    return *instances_[static_cast<std::size_t>(i)];
  }
  // Null for a dense model.
  [[nodiscard]] const MoeStep* moe(int i) const {
    return moe_.empty() ? nullptr : moe_[static_cast<std::size_t>(i)].get();
  }
  // Of all instances; empty for a dense model.
  [[nodiscard]] std::vector<const MoeStep*> experts() const {
    std::vector<const MoeStep*> all;
    for (const auto& one : moe_) all.push_back(one.get());
    return all;
  }
  // Null where the placement stays as it is.
  [[nodiscard]] const Rebalancer* rebalancer(int i) const {
    return rebalancers_.empty() ? nullptr : rebalancers_[static_cast<std::size_t>(i)].get();
  }
  // [stages] of an instance; empty where no tokens are sent to experts.
  [[nodiscard]] std::span<const std::unique_ptr<MoeNetwork>> networks(int i) const {
    if (networks_.empty()) return {};
    return networks_[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] Seconds duration() const { return end_; }
  // How long an instance was switched off.
  [[nodiscard]] Seconds off_time(int instance) const;

 private:
  // An instance's place, and its state while GPUs are gone.
  struct Site {
    std::size_t pool = 0;
    GpuId first;
    std::vector<bool> gone;    // [gpus of the instance]
    std::int64_t outages = 0;  // a recovery that another outage overtook means nothing
    bool recovering = false;
    std::optional<Placement> healthy;  // the placement before GPUs went
    std::optional<Seconds> off_since;  // switched off and idle
    Seconds off{0};                    // and how long it was before
  };
  // What waits for an instance that comes back.
  struct Held {
    std::vector<Request> arrivals;
    std::vector<RankRequest> retries;
  };
  // The first GPU of a stage of an instance.
  [[nodiscard]] GpuId stage_gpu(int id, int stage) const {
    return GpuId{first_gpu(id).value + stage * pool(id).parallel.stage_gpus()};
  }
  [[nodiscard]] const Site& site(int instance) const {
    return sites_[static_cast<std::size_t>(instance)];
  }

  // simulation_build.cpp
  void plan_all_pools();
  void build_instances();
  void build_experts(int id);
  void build_networks(int id);
  void build_rebalancer(int id);
  [[nodiscard]] RankCosts rank_costs(int id) const;
  std::unique_ptr<StepModel> build_step_model(int id);
  std::vector<AttentionRank> build_ranks(int id) const;
  InstanceHooks hooks_for(int id);

  // simulation.cpp
  void arrive(const Request& request);
  void submit(const Request& request);  // to an instance, when the server has read it
  void await_next();
  void request_done(Seconds now);
  void note_queues(Seconds now);
  void step_ended(int id, const StepReport& report, Seconds begin, Seconds end);
  // An instance of those for the request; none while all are down.
  std::optional<int> pick(const std::vector<int>& among, const BalanceKey& key,
                          BalanceState& state);

  // simulation_faults.cpp
  void schedule_all_faults();
  void speed_changed(std::span<const GpuId> gpus, double speed);
  void update_health(int id);
  [[nodiscard]] std::vector<bool> ranks_gone(int id, int gpus_per_rank) const;
  [[nodiscard]] Placement placement_left(int id) const;
  [[nodiscard]] MemoryPlan memory_with(int id, int slots_per_gpu) const;
  [[nodiscard]] bool can_go_on(int id) const;
  void recover(int id);
  void lay_out(int id);
  void give_up(const std::vector<RankRequest>& requests);  // on_failure
  void resubmit(RankRequest request);
  void fail(const RankRequest& request);
  [[nodiscard]] bool awaits_return() const;
  void release_held();

  // simulation_scale.cpp
  void schedule_all_scales();
  void switch_off(int id, Seconds now);  // when it is idle

  // simulation_transfer.cpp
  double left_to_send(const std::vector<Flow>& flows, Seconds computing);
  void hand_over(int from, const RankRequest& request, int rank, Seconds now);
  std::vector<Flow> kv_flows(int from, int from_rank, int to, int to_rank, int tokens) const;

  Deployment deployment_;
  Machine& machine_;
  std::vector<Pool> pools_;
  std::vector<Site> sites_;  // [instances]
  std::vector<int> entry_;   // instances that take new requests
  std::vector<int> decode_;  // instances that get KV from others
  std::optional<RequestSource> source_;
  std::vector<std::string> domains_;
  std::vector<int> domain_of_tenant_;
  std::vector<LayerCostsByKind> pool_costs_;  // [pools]
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Blame> blame_;
  std::unique_ptr<Timeline> timeline_;
  std::unique_ptr<LinkLedger> ledger_;
  std::unique_ptr<Transfers> transfers_;
  std::unique_ptr<UsageHistory> usage_;
  std::vector<std::unique_ptr<Router>> routers_;
  std::vector<std::unique_ptr<MoeStep>> moe_;
  std::vector<std::vector<std::unique_ptr<MoeNetwork>>> networks_;  // [instances][stages]
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<std::unique_ptr<Rebalancer>> rebalancers_;
  Balance balance_;
  BalanceState balance_state_;
  BalanceState decode_balance_;
  GpuHealth health_;
  int returns_expected_ = 0;  // faults that will end and give GPUs back, instances to switch on
  Held held_;
  std::vector<Incident> incidents_;
  std::int64_t retries_ = 0;
  bool all_arrived_ = false;  // open loop: the source has no more
  Seconds end_{0};
  std::int64_t ended_ = 0;
  Watch watch_;
  StepObserver observer_;
  PlanObserver plan_observer_;
};

}  // namespace moesim
