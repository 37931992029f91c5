#include "tools/walk/collect.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/units_text.hpp"
#include "tools/walk/collect_parts.hpp"

namespace moesim {

namespace {

std::int64_t all_steps(const Simulation& simulation) {
  std::int64_t steps = 0;
  for (int i = 0; i < simulation.instances(); ++i) steps += simulation.instance(i).steps();
  return steps;
}

void collect_operations(const Simulation& simulation, Result& result) {
  if (simulation.retries() > 0) {
    result.notes.push_back(
        fmt::format("{} requests lost their GPU and began anew", simulation.retries()));
  }
  Bytes swapped{0};
  for (int i = 0; i < simulation.instances(); ++i) {
    swapped +=
        static_cast<double>(simulation.instance(i).swapped_tokens()) *
        simulation.pool(i).memory.kv_per_token *
        static_cast<double>(simulation.pool(i).parallel.tp * simulation.pool(i).parallel.pp);
  }
  if (swapped.value > 0) {
    result.notes.push_back(
        fmt::format("{} of KV went to host memory or came back", to_display(swapped)));
  }
  RebalanceTotals moved;
  for (int i = 0; simulation.rebalancer(0) != nullptr && i < simulation.instances(); ++i) {
    const RebalanceTotals& some = simulation.rebalancer(i)->totals();
    moved.rebalances += some.rebalances;
    moved.experts += some.experts;
    moved.bytes += some.bytes;
  }
  if (moved.rebalances > 0) {
    result.notes.push_back(fmt::format("{} rebalances moved {} experts, {}", moved.rebalances,
                                       moved.experts, to_display(moved.bytes)));
  }
}

void collect_gpus(const Cluster& cluster, const Simulation& simulation, Result& result) {
  const double duration = std::max(1e-12, simulation.duration().value);
  int instance = 0;
  for (int g = 0; g < cluster.gpus(); ++g) {
    while (g >=
           simulation.first_gpu(instance).value + simulation.pool(instance).parallel.gpus) {
      ++instance;
    }
    const Parallelism& p = simulation.pool(instance).parallel;
    const auto local = static_cast<std::size_t>(g - simulation.first_gpu(instance).value);
    GpuResult gpu;
    gpu.name = cluster.graph().vertices[cluster.place(GpuId{g}).vertex.index()].name;
    gpu.node = cluster.node_of(GpuId{g}).value;
    gpu.instance = instance;
    const StepModel& model = simulation.instance(instance).model();
    gpu.attention = Seconds{model.attention_seconds()[local]};
    gpu.dense = Seconds{model.dense_seconds()[local]};
    gpu.network = simulation.instance(instance).network();
    gpu.host = simulation.instance(instance).host();
    if (const MoeStep* moe = simulation.moe(instance)) {
      const ExpertTotals& totals = moe->totals();
      const auto rank = local / static_cast<std::size_t>(p.moe_tp);
      gpu.expert = Seconds{totals.rank_seconds[rank]};
      gpu.expert_tokens = totals.rank_tokens[rank];
      double sum = 0;
      for (const double t : totals.rank_tokens) sum += t;
      if (sum > 0) gpu.load = gpu.expert_tokens * p.ep * p.pp / sum;
    }
    const Seconds working = gpu.attention + gpu.dense + gpu.expert;
    gpu.utilization = working.value / duration;
    gpu.waiting = std::max(Seconds{0}, Seconds{duration} - working - gpu.network - gpu.host);
    gpu.memory = simulation.pool(instance).memory.usable;
    result.utilization.gpu += gpu.utilization / cluster.gpus();
    result.utilization.expert_compute += gpu.expert.value / duration / cluster.gpus();
    result.gpus.push_back(gpu);
  }
}

// GPU-seconds of instances that were switched off.
Seconds off_time(const Simulation& simulation) {
  Seconds off{0};
  for (int i = 0; i < simulation.instances(); ++i) {
    off += static_cast<double>(simulation.pool(i).parallel.gpus) * simulation.off_time(i);
  }
  return off;
}

Seconds exchanging(const Simulation& simulation) {
  Seconds most{0};
  for (int i = 0; i < simulation.instances(); ++i) {
    most = std::max(most, simulation.instance(i).network());
  }
  return most;
}

void collect_memory(const Simulation& simulation, Result& result) {
  const MemoryPlan& plan = simulation.memory();
  result.memory.gpu = plan.capacity;
  result.memory.weights = plan.expert_weights + plan.other_weights;
  result.memory.kv_cache = plan.kv_cache;
  result.memory.buffers = plan.activations;
  std::int64_t peak = 0;
  for (int i = 0; i < simulation.instances(); ++i) {
    peak = std::max(peak, simulation.instance(i).peak_blocks());
  }
  const double share = static_cast<double>(peak) /
                       static_cast<double>(std::max<std::int64_t>(1, plan.kv_blocks));
  result.memory.kv_peak = plan.kv_cache * share;
}

// By the tokens of the requests that were scheduled.
std::vector<TenantShare> tenant_shares(const Simulation& simulation) {
  const Recorder& recorder = simulation.recorder();
  std::vector<double> tokens(recorder.tenants().size());
  for (const RequestRecord& r : recorder.records()) {
    if (r.scheduled())
      tokens[static_cast<std::size_t>(r.tenant)] += r.input_tokens + r.output_tokens;
  }
  const std::vector<int>& domain_of = simulation.domain_of_tenant();
  std::vector<double> of_domain(simulation.domains().size());
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    of_domain[static_cast<std::size_t>(domain_of[t])] += tokens[t];
  }
  std::vector<TenantShare> shares;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto d = static_cast<std::size_t>(domain_of[t]);
    shares.push_back({.tenant = recorder.tenants()[t],
                      .domain = simulation.domains()[d],
                      .domain_index = domain_of[t],
                      .share = of_domain[d] > 0 ? tokens[t] / of_domain[d] : 0.0});
  }
  return shares;
}

}  // namespace

Result collect_result(const Scenario& scenario, const Cluster& cluster,
                      const ClusterCosts& costs, const Simulation& simulation) {
  Result result;
  collect_header(scenario, cluster, result);
  result.steps = all_steps(simulation);
  result.summary = summarize(simulation.recorder(), scenario.slo);
  const std::vector<const MoeStep*> groups = simulation.experts();
  collect_layers(groups, simulation.pool(0).parallel.moe_tp, result);
  collect_overflow(groups, scenario.model.top_k, result);
  collect_operations(simulation, result);
  collect_router(scenario, groups, tenant_shares(simulation), simulation.duration(), result);
  collect_gpus(cluster, simulation, result);
  collect_links(cluster, simulation.ledger(), simulation.duration(), exchanging(simulation),
                result);
  collect_memory(simulation, result);
  collect_cost(scenario, cluster, costs, simulation.duration(), off_time(simulation), result);
  collect_provenance(scenario, costs, simulation.kernel_origins(), groups, result);
  const double tokens = result.summary.throughput.total_tokens.value;
  const double peak = peak_flops(cluster, scenario.model.weights).value;
  if (peak > 0) {
    result.utilization.achieved_flops = flops_per_token(scenario.model).value * tokens / peak;
  }
  for (const double share : {0.01, 1.0}) {
    auto& reports = share < 1 ? result.blame : result.phases;
    for (const MetricId metric : {MetricId::e2el, MetricId::ttft, MetricId::tpot}) {
      reports.push_back(
          blame_of_slowest(simulation.blame(), simulation.recorder(), metric, share));
    }
  }
  return result;
}

}  // namespace moesim
