// What a run costs, and where its figures come from, whoever ran it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "calibrate/busy_power.hpp"
#include "calibrate/profile.hpp"
#include "sim/serving/measured_exchange.hpp"
#include "tools/walk/collect_parts.hpp"

namespace moesim {

namespace {

// [kinds of GPU] what was measured on that very kind.
std::vector<std::optional<BusyPower>> measured_power(const Scenario& scenario,
                                                     const ClusterCosts& costs) {
  std::vector<std::optional<BusyPower>> out;
  for (int kind = 0; kind < costs.kinds(); ++kind) {
    const Profile& profile = costs.of_kind(kind).profile();
    const bool own = profile.gpu == costs.gpu(kind);
    out.push_back(own ? busy_power(profile, scenario.model.weights) : std::nullopt);
  }
  return out;
}

Watts mean_power(const GpuSpec& gpu, const std::optional<BusyPower>& measured,
                 const GpuResult& spent, Seconds duration) {
  const double use = std::min(1.0, spent.utilization);
  if (!measured || duration.value <= 0) {
    return gpu.idle_power + use * (gpu.power - gpu.idle_power);
  }
  const Joules computing = spent.attention * measured->attention +
                           spent.dense * measured->dense + spent.expert * measured->experts;
  return (1 - use) * gpu.idle_power + computing / duration;
}

// False: nothing was measured.
bool add_power_notes(const Scenario& scenario, const ClusterCosts& costs, Result& result) {
  const auto kinds = measured_power(scenario, costs);
  bool any = false;
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    if (!kinds[k]) continue;
    any = true;
    const int kind = static_cast<int>(k);
    result.provenance.push_back(
        {"power of " + costs.gpu(kind) + " while it computes",
         costs.of_kind(kind).profile().provenance,
         fmt::format("profile {}: loops of attention {:.0f} W, GEMM {:.0f} W, experts {:.0f} W",
                     costs.profile(kind), kinds[k]->attention.value, kinds[k]->dense.value,
                     kinds[k]->experts.value),
         0});
  }
  return any;
}

}  // namespace

// The price is the nodes' for the whole run.
void collect_cost(const Scenario& scenario, const Cluster& cluster, const ClusterCosts& costs,
                  Seconds duration, Seconds off, Result& result) {
  const auto kinds = measured_power(scenario, costs);
  Watts power{0};
  for (int g = 0; g < cluster.gpus(); ++g) {
    const auto& measured = kinds[static_cast<std::size_t>(costs.kind_of(GpuId{g}))];
    power += mean_power(cluster.gpu(GpuId{g}), measured,
                        result.gpus[static_cast<std::size_t>(g)], duration);
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

void collect_provenance(const Scenario& scenario, const ClusterCosts& costs,
                        std::span<const KernelOrigin> kernels, ExpertGroups groups,
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
  for (int g = 0, kind = 0; kind < costs.kinds(); ++g) {  // kinds come in the GPUs' order
    if (costs.kind_of(GpuId{g}) != kind) continue;
    const ExchangeNote note =
        exchange_note(costs, GpuId{g}, scenario.serving.transport == "nccl");
    if (!note.text.empty()) {
      result.provenance.push_back(
          {"all-to-alls of " + costs.gpu(kind), note.provenance, note.text, 0});
    }
    ++kind;
  }
  const bool measured = add_power_notes(scenario, costs, result);
  result.provenance.push_back({measured ? "prices and idle power" : "prices and power",
                               Provenance::assumed, "the cluster's preset and scenario", 0});
}

}  // namespace moesim
