// Links, cost, provenance and flops of a run, whoever ran it.
#include <fmt/format.h>

#include <algorithm>

#include "tools/walk/collect_parts.hpp"

namespace moesim {

void collect_header(const Scenario& scenario, const Cluster& cluster, Result& result) {
  result.scenario = scenario.name;
  result.seed = scenario.seed;
  result.model = scenario.model.name;
  result.cluster = fmt::format("{} nodes, {} x {}, {}", cluster.nodes(), cluster.gpus(),
                               cluster.gpu(GpuId{0}).name, scenario.cluster.fabric);
  result.gpu_count = cluster.gpus();
}

void collect_links(const Cluster& cluster, const LinkLedger& ledger, Seconds whole,
                   Seconds exchanging, Result& result) {
  const double duration = std::max(1e-12, whole.value);
  int nics = 0;
  for (int l = 0; l < cluster.links(); ++l) {
    const Link& link = cluster.link(LinkId{l});
    LinkResult r;
    r.name = link.name;
    r.kind = to_text(link.kind);
    r.bandwidth = link.bandwidth;
    r.bytes = ledger.bytes(LinkId{l});
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

// Power between idle and full by utilization; the price is the nodes' for the whole run.
void collect_cost(const Cluster& cluster, Seconds duration, Seconds off, Result& result) {
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
  const Seconds held = static_cast<double>(cluster.gpus()) * duration;
  if (held.value > 0) price *= 1 - off / held;
  CostResult& cost = result.cost;
  cost.gpu_hours = (held - off).value / 3600;
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

void collect_provenance(std::span<const KernelOrigin> kernels, ExpertGroups groups,
                        Result& result) {
  const bool mixed = kernels.size() > 1;
  std::string profiles;
  for (const KernelOrigin& k : kernels) {
    profiles += (profiles.empty() ? "profile " : ", ") + k.profile;
  }
  if (!groups.empty()) {
    const CurveOrigin& experts = groups.front()->curve_origin();
    result.provenance.push_back({"expert kernels", experts.provenance,
                                 fmt::format("{}: {}", profiles, experts.note), experts.error});
  }
  for (const KernelOrigin& k : kernels) {
    result.provenance.push_back(
        {"attention and dense kernels" + (mixed ? " of " + k.gpu : std::string()),
         k.origin.provenance, "profile " + k.profile, k.origin.error});
  }
  result.provenance.push_back(
      {"prices and power", Provenance::assumed, "the cluster's preset and scenario", 0});
}

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

FlopsPerSecond peak_flops(const Cluster& cluster, Dtype weights) {
  FlopsPerSecond peak{0};
  for (int g = 0; g < cluster.gpus(); ++g) peak += peak_flops(cluster.gpu(GpuId{g}), weights);
  return peak;
}

}  // namespace moesim
