#include "tools/cli/step_traffic.hpp"

#include <fmt/format.h>

#include <memory>
#include <numeric>

#include "sim/placement/reach.hpp"
#include "sim/serving/expert_setup.hpp"
#include "sim/serving/moe_network.hpp"
#include "sim/serving/pools.hpp"
#include "topology/gpu_ranges.hpp"

namespace moesim {
namespace {

// One layer's experts of one instance after another, its tokens spread evenly over the ranks.
class InstanceStep {
 public:
  InstanceStep(const Scenario& s, const Cluster& cluster, const Pool& pool)
      : s_(s),
        cluster_(cluster),
        pool_(pool),
        router_(s.router, router_shape(s.model, s.router), s.seed,
                domains_of(s.traffic.tenants).first) {
    const std::vector<GpuId> ranks = expert_ranks(pool.parallel, GpuId{pool.first_gpu});
    const std::vector<double> speed = expert_speeds(cluster, ranks);
    placement_ = first_placement(router_, s.placement, pool.slots,
                                 RankGroup(cluster, ranks).domains(), pool.parallel.ep, speed);
    policy_ = make_dispatch(s.placement.dispatch, placement_, {.gpu_speed = speed});
    std::vector<TokenView> views;
    for (int l = 0; l < router_.shape().layers; ++l) {
      const TokenSample& sample = router_.sample(l);
      samples_.emplace_back(sample.expert.begin(), sample.expert.end());
    }
    for (const auto& sample : samples_) views.push_back({sample, router_.shape().top_k});
    reach_ = std::make_unique<Reach>(placement_, *policy_, views);
  }

  // `tokens` per attention rank.
  void send(GpuId first, int tokens, bool prefill, LinkLedger& ledger) const {
    const Parallelism& parallel = pool_.parallel;
    std::vector<std::unique_ptr<MoeNetwork>> networks;
    for (int stage = 0; stage < parallel.pp; ++stage) {
      const GpuId gpu{first.value + stage * parallel.stage_gpus()};
      networks.push_back(std::make_unique<MoeNetwork>(cluster_, expert_ranks(parallel, gpu),
                                                      s_.model, pool_.serving,
                                                      pool_.slots / parallel.ep));
    }
    const std::vector<int> stages = stages_of_moe_layers(s_.model, parallel.pp);
    for (int l = 0; l < router_.shape().layers; ++l) {
      MoeNetwork& network =
          *networks[static_cast<std::size_t>(stages[static_cast<std::size_t>(l)])];
      DispatchDemand demand = reach_->sampled(l);
      demand.tokens.assign(static_cast<std::size_t>(demand.ranks),
                           static_cast<double>(tokens) * parallel.dp / demand.ranks);
      network.exchange(demand, prefill, ledger, Seconds{0});
    }
  }

 private:
  const Scenario& s_;
  const Cluster& cluster_;
  const Pool& pool_;
  Router router_;
  Placement placement_;
  std::unique_ptr<DispatchPolicy> policy_;
  std::vector<std::vector<std::uint16_t>> samples_;
  std::unique_ptr<Reach> reach_;
};

std::vector<Pool> pools_of(const Scenario& s, const Cluster& cluster) {
  std::vector<int> first;
  for (int n = 0; n < cluster.nodes(); ++n) first.push_back(cluster.first_gpu(NodeId{n}).value);
  first.push_back(cluster.gpus());
  std::vector<Pool> pools = plan_pools(s.serving, first);
  for (Pool& pool : pools) {
    const auto gpus =
        gpus_from(GpuId{pool.first_gpu}, pool.parallel.instances * pool.parallel.gpus);
    plan_experts(pool, s.model, s.placement.redundant_experts, least_memory(cluster, gpus));
  }
  return pools;
}

}  // namespace

StepTraffic step_traffic(const Scenario& scenario, const Cluster& cluster) {
  StepTraffic out;
  if (scenario.model.experts == 0) return out;
  LinkLedger ledger(cluster.links());
  for (const Pool& pool : pools_of(scenario, cluster)) {
    const Parallelism& parallel = pool.parallel;
    if (parallel.ep <= 1 || parallel.dp <= 1) continue;  // every rank has every token
    const bool prefill = pool.role == PoolRole::prefill;
    const int tokens = prefill ? pool.serving.max_tokens_per_step : pool.serving.max_batch;
    const InstanceStep step(scenario, cluster, pool);
    for (int i = 0; i < parallel.instances; ++i) {
      step.send(GpuId{pool.first_gpu + i * parallel.gpus}, tokens, prefill, ledger);
    }
    out.what += fmt::format("{}{} of {} tokens per attention rank on {} GPUs",
                            out.what.empty() ? "" : ", and ",
                            prefill ? "a prefill step" : "a decode step", tokens,
                            parallel.instances * parallel.gpus);
  }
  if (out.what.empty()) return out;
  out.what = fmt::format("dispatch and combine of all MoE layers: {}; {} placement, skew {}",
                         out.what, scenario.placement.strategy, scenario.router.skew);
  out.bytes.assign(ledger.totals().begin(), ledger.totals().end());
  return out;
}

}  // namespace moesim
