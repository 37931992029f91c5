#include "tools/walk/collect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/units_text.hpp"
#include "sim/placement/bounds.hpp"
#include "sim/router/load_metrics.hpp"

namespace moesim {

namespace {

// Tokens per (layer, expert) over all instances.
std::vector<double> expert_tokens(const Simulation& simulation) {
  std::vector<double> sum;
  for (int i = 0; i < simulation.instances(); ++i) {
    const auto& tokens = simulation.moe(i)->totals().tokens;
    sum.resize(tokens.size());
    for (std::size_t k = 0; k < tokens.size(); ++k) sum[k] += static_cast<double>(tokens[k]);
  }
  return sum;
}

struct LayerSums {
  double mean_tokens = 0;
  double most_tokens = 0;
  double dispatch = 0;
  double expert = 0;
  double combine = 0;
};

LayerSums layer_sums(const Simulation& simulation, std::size_t layer) {
  LayerSums sums;
  for (int i = 0; i < simulation.instances(); ++i) {
    const ExpertTotals& totals = simulation.moe(i)->totals();
    sums.mean_tokens += totals.layer_mean_tokens[layer];
    sums.most_tokens += totals.layer_most_tokens[layer];
    sums.dispatch += totals.layer_dispatch_s[layer];
    sums.expert += totals.layer_expert_s[layer];
    sums.combine += totals.layer_combine_s[layer];
  }
  return sums;
}

std::int64_t all_steps(const Simulation& simulation) {
  std::int64_t steps = 0;
  for (int i = 0; i < simulation.instances(); ++i) steps += simulation.instance(i).steps();
  return steps;
}

void collect_layers(const Simulation& simulation, Result& result) {
  if (simulation.moe(0) == nullptr) return;
  const std::vector<double> tokens = expert_tokens(simulation);
  const std::size_t layers = simulation.moe(0)->totals().layer_mean_tokens.size();
  const std::size_t experts = tokens.size() / layers;
  const double steps = static_cast<double>(std::max<std::int64_t>(1, result.steps));
  const Placement& placement = simulation.moe(0)->placement();
  double entropy = 0;
  double dead = 0;
  double bound = 0;
  for (std::size_t l = 0; l < layers; ++l) {
    const std::span<const double> of_layer(tokens.data() + l * experts, experts);
    const LoadMetrics load = measure_load(of_layer);
    const LayerSums sums = layer_sums(simulation, l);
    LayerResult layer;
    layer.layer = static_cast<int>(l);
    if (sums.most_tokens > 0) layer.balancedness = sums.mean_tokens / sums.most_tokens;
    layer.entropy = load.entropy;
    layer.dead_experts = load.dead;
    layer.hottest_load = load.max_over_mean;
    layer.dispatch = Seconds{sums.dispatch / steps};
    layer.expert = Seconds{sums.expert / steps};
    layer.combine = Seconds{sums.combine / steps};
    result.layers.push_back(layer);
    result.balance.worst_balancedness =
        std::min(result.balance.worst_balancedness, layer.balancedness);
    result.balance.balancedness += layer.balancedness;
    entropy += load.entropy;
    dead += load.dead;
    const double mean = load.tokens / placement.gpus;
    if (mean > 0) {
      bound +=
          load_bound(of_layer, placement.layer_slots(static_cast<int>(l)), placement.gpus) /
          mean;
    }
    for (std::size_t e = 0; e < experts; ++e) {
      ExpertResult expert;
      expert.layer = static_cast<int>(l);
      expert.expert = static_cast<int>(e);
      const auto slots = placement.replicas(expert.layer, expert.expert);
      expert.replicas = static_cast<int>(slots.size());
      for (const int slot : slots) {
        const int rank = placement.slot_gpus(expert.layer)[static_cast<std::size_t>(slot)];
        expert.gpus += fmt::format("{}{}", expert.gpus.empty() ? "" : " ",
                                   rank * simulation.pool(0).parallel.moe_tp);
      }
      expert.tokens = of_layer[e];
      expert.load =
          load.tokens > 0 ? of_layer[e] * static_cast<double>(experts) / load.tokens : 0;
      result.experts.push_back(expert);
    }
  }
  const double n = static_cast<double>(layers);
  result.balance.balancedness = (result.balance.balancedness - 1) / n;
  result.balance.router_entropy = entropy / n;
  result.balance.dead_experts = dead / n / static_cast<double>(experts);
  result.balance.lower_bound = bound / n;
  if (result.balance.balancedness > 0 && bound > 0) {
    result.balance.gap = 1 / (result.balance.balancedness * result.balance.lower_bound) - 1;
  }
}

// Of a token's k assignments in a layer one or more are lost with 1 - (1 - d)^k, d being the
// share of assignments that are.
void collect_overflow(const Scenario& scenario, const Simulation& simulation, Result& result) {
  OverflowTotals all;
  for (int i = 0; simulation.moe(0) != nullptr && i < simulation.instances(); ++i) {
    const OverflowTotals& some = simulation.moe(i)->totals().overflow;
    all.routed += some.routed;
    all.overflowed += some.overflowed;
    all.dropped += some.dropped;
  }
  if (all.routed == 0 || all.overflowed == 0) return;
  const auto share = [&](long part) {
    return static_cast<double>(part) / static_cast<double>(all.routed);
  };
  result.balance.overflow_rate = share(all.overflowed);
  result.balance.router_mass_lost += share(all.dropped);
  result.balance.dropped_token_rate =
      1 - std::pow(1 - share(all.dropped), scenario.model.top_k);
  result.notes.push_back(fmt::format(
      "{:.2g} % of the assignments were beyond their expert's capacity; {:.2g} % of "
      "the tokens lost an expert in a layer",
      100 * result.balance.overflow_rate, 100 * result.balance.dropped_token_rate));
}

void collect_operations(const Simulation& simulation, Result& result) {
  if (simulation.retries() > 0) {
    result.notes.push_back(
        fmt::format("{} requests lost their GPU and began anew", simulation.retries()));
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
      if (sum > 0) gpu.load = gpu.expert_tokens * p.ep / sum;
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

void collect_links(const Cluster& cluster, const Simulation& simulation, Result& result) {
  const double duration = std::max(1e-12, simulation.duration().value);
  Seconds exchanging{0};
  for (int i = 0; i < simulation.instances(); ++i) {
    exchanging = std::max(exchanging, simulation.instance(i).network());
  }
  int nics = 0;
  for (int l = 0; l < cluster.links(); ++l) {
    const Link& link = cluster.link(LinkId{l});
    LinkResult r;
    r.name = link.name;
    r.kind = to_text(link.kind);
    r.bandwidth = link.bandwidth;
    r.bytes = simulation.ledger().bytes(LinkId{l});
    r.utilization = r.bytes / link.bandwidth / Seconds{duration};
    if (exchanging.value > 0) r.busbw = r.bytes / exchanging;
    if (link.kind == LinkKind::nic) {
      result.utilization.links += r.utilization;
      ++nics;
    }
    result.links.push_back(r);
  }
  if (nics > 0) result.utilization.links /= nics;
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

// Power between idle and full by utilization; the price is the nodes' for the whole run.
void collect_cost(const Cluster& cluster, const Simulation& simulation, Result& result) {
  const Seconds duration = simulation.duration();
  Watts power{0};
  for (int g = 0; g < cluster.gpus(); ++g) {
    const GpuSpec& gpu = cluster.gpu(GpuId{g});
    const double use = std::min(1.0, result.gpus[static_cast<std::size_t>(g)].utilization);
    power += gpu.idle_power + use * (gpu.power - gpu.idle_power);
  }
  DollarsPerSecond price{0};
  for (const NodeGroupOptions& group : cluster.groups()) {
    price += static_cast<double>(group.nodes) * group.node.price;
  }
  CostResult& cost = result.cost;
  cost.gpu_hours = duration.value / 3600 * cluster.gpus();
  cost.total = price * duration;
  cost.energy = power * duration;
  const Throughput& rate = result.summary.throughput;
  const auto per_million = [&](TokensPerSecond tokens) {
    return tokens.value > 0 ? Dollars{price.value / tokens.value * 1e6} : Dollars{0};
  };
  cost.per_million_output_tokens = per_million(rate.output_tokens);
  cost.per_million_tokens = per_million(rate.total_tokens);
  if (rate.output_tokens.value > 0) {
    cost.energy_per_token = Joules{power.value / rate.output_tokens.value};
  }
}

void collect_provenance(const Scenario& scenario, const Simulation& simulation,
                        Result& result) {
  const std::string& profile = scenario.calibration.profile;
  const CurveOrigin& dense = simulation.costs().origin();
  if (const MoeStep* moe = simulation.moe(0)) {
    const CurveOrigin& experts = moe->curve_origin();
    result.provenance.push_back({"expert kernels", experts.provenance,
                                 fmt::format("profile {}: {}", profile, experts.note),
                                 experts.error});
  }
  result.provenance.push_back(
      {"attention and dense kernels", dense.provenance, "profile " + profile, dense.error});
  result.provenance.push_back(
      {"prices and power", Provenance::assumed, "the cluster's preset and scenario", 0});
}

}  // namespace

Flops flops_per_token(const ModelShape& model) {
  const double tables = (model.tied_embeddings ? 1.0 : 2.0) * model.vocab * model.hidden;
  return Flops{2 * (active_params(model) - tables)};
}

FlopsPerSecond peak_flops(const GpuSpec& gpu, Dtype weights) {
  switch (weights) {
    case Dtype::fp8:
    case Dtype::fp8_block:
    case Dtype::w4a8:
      return gpu.fp8_flops.value > 0 ? gpu.fp8_flops : gpu.bf16_flops;
    case Dtype::int8:
      return gpu.int8_flops.value > 0 ? gpu.int8_flops : gpu.bf16_flops;
    case Dtype::fp4:
      return gpu.fp4_flops.value > 0 ? gpu.fp4_flops : gpu.bf16_flops;
    default:
      return gpu.bf16_flops;
  }
}

Result collect_result(const Scenario& scenario, const Cluster& cluster, const CostModel&,
                      const Simulation& simulation) {
  Result result;
  result.scenario = scenario.name;
  result.seed = scenario.seed;
  result.model = scenario.model.name;
  result.cluster = fmt::format("{} nodes, {} x {}, {}", cluster.nodes(), cluster.gpus(),
                               cluster.gpu(GpuId{0}).name, scenario.cluster.fabric);
  result.gpu_count = cluster.gpus();
  result.steps = all_steps(simulation);
  result.summary = summarize(simulation.recorder(), scenario.slo);
  collect_layers(simulation, result);
  collect_overflow(scenario, simulation, result);
  collect_operations(simulation, result);
  collect_router(scenario, simulation, result);
  collect_gpus(cluster, simulation, result);
  collect_links(cluster, simulation, result);
  collect_memory(simulation, result);
  collect_cost(cluster, simulation, result);
  collect_provenance(scenario, simulation, result);
  const double tokens = result.summary.throughput.total_tokens.value;
  double peak = 0;
  for (int g = 0; g < cluster.gpus(); ++g) {
    peak += peak_flops(cluster.gpu(GpuId{g}), scenario.model.weights).value;
  }
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
