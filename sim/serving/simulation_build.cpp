// How a simulation is put together.
#include <algorithm>
#include <tuple>
#include <utility>

#include "sim/serving/expert_setup.hpp"
#include "sim/serving/host_link.hpp"
#include "sim/serving/measured_exchange.hpp"
#include "sim/serving/simulation.hpp"
#include "topology/gpu_ranges.hpp"

namespace moesim {

namespace {

std::vector<Series> timeline_columns() {
  return {{"waiting_requests", SeriesKind::level},  {"running_requests", SeriesKind::level},
          {"input_tokens_per_s", SeriesKind::flow}, {"output_tokens_per_s", SeriesKind::flow},
          {"step_time_s", SeriesKind::sample},      {"balancedness", SeriesKind::sample},
          {"batch_tokens", SeriesKind::sample},     {"kv_used", SeriesKind::sample}};
}

std::vector<std::string> tenant_names(const RequestSource& source) {
  std::vector<std::string> names;
  for (const TenantOptions& tenant : source.tenants()) names.push_back(tenant.name);
  return names;
}

}  // namespace

Simulation::Simulation(const Deployment& deployment, Machine& machine)
    : deployment_(deployment), machine_(machine), health_(deployment.cluster.gpus()) {
  const ServingOptions& serving = deployment_.serving;
  plan_all_pools();
  source_.emplace(deployment_.traffic, deployment_.seed, deployment_.requests);
  std::tie(domains_, domain_of_tenant_) = domains_of(source_->tenants());

  recorder_ = std::make_unique<Recorder>(RecorderOptions{.requests = deployment_.requests,
                                                         .warmup = serving.warmup,
                                                         .tenants = tenant_names(*source_)});
  blame_ = std::make_unique<Blame>(static_cast<int>(sites_.size()), deployment_.requests);
  timeline_ = std::make_unique<Timeline>(timeline_columns());
  ledger_ = std::make_unique<LinkLedger>(deployment_.cluster.links());
  transfers_ = std::make_unique<Transfers>(machine_, deployment_.cluster, *ledger_,
                                           static_cast<int>(sites_.size()));
  std::vector<Parallelism> instances;
  for (const Site& one : sites_) instances.push_back(pools_[one.pool].parallel);
  usage_ = std::make_unique<UsageHistory>(instances, deployment_.cluster.links());
  balance_ = find_entry(balancing_policies(), serving.balancing, "balancing policy").make;
  balance_state_.stream = Stream(deployment_.seed, "balancing");
  decode_balance_.stream = Stream(deployment_.seed, "decode balancing");
  build_instances();
  schedule_all_faults();
  schedule_all_scales();
}

Simulation::~Simulation() = default;

void Simulation::plan_all_pools() {
  const Cluster& cluster = deployment_.cluster;
  std::vector<int> first;
  for (int n = 0; n < cluster.nodes(); ++n) first.push_back(cluster.first_gpu(NodeId{n}).value);
  first.push_back(cluster.gpus());
  pools_ = plan_pools(deployment_.serving, first);
  for (std::size_t p = 0; p < pools_.size(); ++p) {
    Pool& pool = pools_[p];
    const std::vector<GpuId> gpus =
        gpus_from(GpuId{pool.first_gpu}, pool.parallel.instances * pool.parallel.gpus);
    // All ranks have the same slots, and engines agree on the least room for KV that one has.
    plan_experts(pool, deployment_.model, deployment_.placement.redundant_experts,
                 least_memory(cluster, gpus));
    require_fits(pool.memory, deployment_.model);
    pool_costs_.emplace_back(deployment_.model, pool.parallel, deployment_.costs, gpus);
    for (int i = 0; i < pool.parallel.instances; ++i) {
      const int id = static_cast<int>(sites_.size());
      sites_.push_back({.pool = p,
                        .first = GpuId{pool.first_gpu + i * pool.parallel.gpus},
                        .gone = std::vector<bool>(static_cast<std::size_t>(pool.parallel.gpus)),
                        .healthy = {},
                        .off_since = {}});
      (pool.role == PoolRole::decode ? decode_ : entry_).push_back(id);
    }
  }
}

void Simulation::build_instances() {
  for (int id = 0; id < static_cast<int>(sites_.size()); ++id) {
    if (deployment_.model.experts > 0) build_experts(id);
    instances_.push_back(std::make_unique<Instance>(
        id, machine_, *transfers_, *recorder_, *blame_, *ledger_, build_step_model(id),
        build_ranks(id), pool(id).serving, deployment_.seed, hooks_for(id)));
    build_rebalancer(id);
  }
}

void Simulation::build_rebalancer(int id) {
  const RebalanceOptions& options = deployment_.placement.rebalance;
  const bool ever = options.every_steps > 0 || options.below_balancedness > 0;
  if (moe_.empty() || !ever) return;
  const auto i = static_cast<std::size_t>(id);
  RebalanceHooks hooks;
  hooks.halt = [this, i] { instances_[i]->halt(); };
  hooks.resume = [this, i] { instances_[i]->resume(Cause::rebalancing); };
  hooks.done = [this](const Incident& incident) { incidents_.push_back(incident); };
  const int nodes = networks_[i].empty() ? 1 : networks_[i].front()->ranks().domains();
  rebalancers_.push_back(std::make_unique<Rebalancer>(
      deployment_.placement, deployment_.model, pool(id).parallel, first_gpu(id), nodes,
      deployment_.cluster, machine_, *transfers_, *routers_[i], *moe_[i], std::move(hooks)));
}

void Simulation::build_experts(int id) {
  const ModelShape& model = deployment_.model;
  const Pool& mine = pool(id);
  const Parallelism& parallel = mine.parallel;
  routers_.push_back(std::make_unique<Router>(
      deployment_.router, router_shape(model, deployment_.router), deployment_.seed, domains_));
  build_networks(id);
  const int nodes = networks_.back().empty() ? 1 : networks_.back().front()->ranks().domains();
  const std::vector<GpuId> ranks = expert_ranks(parallel, first_gpu(id));
  const std::vector<double> speed = expert_speeds(deployment_.cluster, ranks);
  auto moe = std::make_unique<MoeStep>(
      *routers_.back(), deployment_.placement.dispatch,
      pool_costs_[site(id).pool].experts(ranks, mine.slots / parallel.ep), speed);
  moe->set_stages(parallel.pp, stages_of_moe_layers(model, parallel.pp));
  moe->use(first_placement(*routers_.back(), deployment_.placement, mine.slots, nodes,
                           parallel.ep, speed));
  moe_.push_back(std::move(moe));
}

void Simulation::build_networks(int id) {
  const Pool& mine = pool(id);
  const Parallelism& parallel = mine.parallel;
  auto& networks = networks_.emplace_back();
  if (!parallel.dispatches) return;
  for (int s = 0; s < parallel.pp; ++s) {
    networks.push_back(std::make_unique<MoeNetwork>(
        deployment_.cluster, expert_ranks(parallel, stage_gpu(id, s)), deployment_.model,
        mine.serving, mine.slots / parallel.ep, layers_of(deployment_.model, parallel.pp, s),
        measured_exchanges(deployment_.costs, stage_gpu(id, s))));
    networks.back()->share_with(*transfers_);
  }
}

// A rank computes on its GPUs of every stage.
RankCosts Simulation::rank_costs(int id) const {
  const Parallelism& parallel = pool(id).parallel;
  std::vector<std::vector<const LayerCosts*>> of_rank;
  for (int d = 0; d < parallel.dp; ++d) {
    std::vector<GpuId> gpus;
    for (int s = 0; s < parallel.pp; ++s) {
      for (int g = 0; g < parallel.tp; ++g) {
        gpus.emplace_back(stage_gpu(id, s).value + d * parallel.tp + g);
      }
    }
    of_rank.push_back(pool_costs_[site(id).pool].of(gpus));
  }
  return RankCosts(std::move(of_rank));
}

std::unique_ptr<StepModel> Simulation::build_step_model(int id) {
  const auto i = static_cast<std::size_t>(id);
  const Pool& mine = pool(id);
  const auto all = networks(id);
  std::vector<StepStage> stages;
  for (int s = 0; s < mine.parallel.pp; ++s) {
    stages.emplace_back(deployment_.model, mine.parallel, s, first_gpu(id), deployment_.cluster,
                        all.empty() ? nullptr : all[static_cast<std::size_t>(s)].get());
  }
  auto step = std::make_unique<StepModel>(
      deployment_.model, mine.parallel, mine.serving, rank_costs(id),
      moe_.empty() ? nullptr : moe_[i].get(), std::move(stages));
  // Of the stage with most KV; each swaps its own layers'.
  step->set_swap_time(mine.memory.kv_per_token /
                      host_bandwidth(deployment_.cluster, first_gpu(id)));
  return step;
}

std::vector<AttentionRank> Simulation::build_ranks(int id) const {
  const Pool& mine = pool(id);
  const ServingOptions& serving = mine.serving;
  const Bytes block = static_cast<double>(serving.kv_block) * mine.memory.kv_per_token;
  const double host_blocks = serving.preemption == "swap" ? serving.swap_space / block : 0.0;
  const RankLimits limits{.max_batch = serving.max_batch,
                          .max_tokens = serving.max_tokens_per_step,
                          .chunked_prefill = serving.chunked_prefill,
                          .prefill_only = mine.role == PoolRole::prefill,
                          .kv_block = serving.kv_block,
                          .kv_blocks = mine.memory.kv_blocks,
                          .host_blocks = static_cast<std::int64_t>(host_blocks),
                          .speculative_tokens = serving.speculative_tokens,
                          .first_chunk = serving.first_chunk,
                          .domains = static_cast<int>(domains_.size())};
  std::vector<AttentionRank> ranks;
  for (int d = 0; d < mine.parallel.dp; ++d) {
    const auto index = static_cast<std::uint64_t>(first_gpu(id).value / mine.parallel.tp + d);
    ranks.emplace_back(limits, Stream(deployment_.seed, "attention rank", index));
  }
  return ranks;
}

InstanceHooks Simulation::hooks_for(int id) {
  InstanceHooks hooks;
  hooks.step = [this, id](const StepReport& report, Seconds begin, Seconds end) {
    step_ended(id, report, begin, end);
  };
  hooks.admitted = [this, id](Seconds now) {
    note_queues(now);
    if (plan_observer_) plan_observer_(id, now);
  };
  hooks.finished = [this](RequestId, Seconds now) { request_done(now); };
  hooks.shed = [this](const RankRequest& request, Seconds now) {
    recorder_->shed(RequestId{request.request}, now);
    blame_->dropped(RequestId{request.request});
    request_done(now);
  };
  hooks.handed_over = [this, id](const RankRequest& request, int rank, Seconds now) {
    hand_over(id, request, rank, now);
  };
  return hooks;
}

}  // namespace moesim
