#include "sim/serving/expert_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/base/units_text.hpp"
#include "sim/placement/strategy.hpp"

namespace moesim {

int expert_slots(const ModelShape& model, const PlacementOptions& placement,
                 const Parallelism& parallel) {
  if (model.experts == 0) return 0;
  const int slots = model.experts + placement.redundant_experts;
  if (slots % parallel.ep != 0) {
    const int more = (parallel.ep - slots % parallel.ep) % parallel.ep;
    throw InputError(
        fmt::format("model.experts + placement.redundant_experts = {} + {} = {} slots do not "
                    "divide over {} expert ranks",
                    model.experts, placement.redundant_experts, slots, parallel.ep),
        "a multiple of the expert ranks (serving.ep)",
        fmt::format("placement.redundant_experts = {}", placement.redundant_experts + more));
  }
  return slots;
}

std::vector<int> stages_of_moe_layers(const ModelShape& model, int stages) {
  std::vector<int> of_layer;
  for (int s = 0; s < stages; ++s) {
    const auto held =
        static_cast<std::size_t>(moe_layer_count(model, layers_of(model, stages, s)));
    of_layer.insert(of_layer.end(), held, s);
  }
  return of_layer;
}

std::vector<GpuId> expert_ranks(const Parallelism& parallel, GpuId first) {
  std::vector<GpuId> ranks;
  for (int r = 0; r < parallel.ep; ++r) {
    ranks.emplace_back(first.value + r * parallel.moe_tp);
  }
  return ranks;
}

RouterShape router_shape(const ModelShape& model, const RouterOptions& router) {
  return {.layers = moe_layer_count(model),
          .experts = model.experts,
          .top_k = router.top_k > 0 ? router.top_k : model.top_k,
          .expert_groups = std::max(1, model.expert_groups),
          .top_groups = std::max(1, model.top_groups)};
}

std::pair<std::vector<std::string>, std::vector<int>> domains_of(
    const std::vector<TenantOptions>& tenants) {
  std::vector<std::string> domains;
  std::vector<int> of_tenant;
  for (const TenantOptions& tenant : tenants) {
    auto at = std::ranges::find(domains, tenant.domain);
    if (at == domains.end()) {
      domains.push_back(tenant.domain);
      at = domains.end() - 1;
    }
    of_tenant.push_back(static_cast<int>(at - domains.begin()));
  }
  return {domains, of_tenant};
}

std::vector<double> expert_speeds(const Cluster& cluster, std::span<const GpuId> ranks) {
  const double base = cluster.gpu(GpuId{0}).memory_bandwidth.value;
  std::vector<double> speed;
  for (const GpuId rank : ranks) {
    speed.push_back(cluster.gpu(rank).memory_bandwidth.value / base);
  }
  const bool alike = std::ranges::all_of(speed, [](double s) { return s == 1; });
  return alike ? std::vector<double>{} : speed;
}

Placement first_placement(Router& router, const PlacementOptions& options, int slots, int nodes,
                          int ranks, std::vector<double> speed) {
  const RouterShape& shape = router.shape();
  PlacementProblem problem;
  problem.layers = shape.layers;
  problem.experts = shape.experts;
  problem.slots = slots;
  problem.groups = shape.expert_groups;
  problem.nodes = nodes;
  problem.gpus = ranks;
  problem.gpu_speed = std::move(speed);
  ExpertCounts past;
  router.counts({.tokens = options.training_tokens, .share = {}}, past);
  problem.weights.assign(past.begin(), past.end());

  std::vector<std::vector<std::uint16_t>> samples(static_cast<std::size_t>(shape.layers));
  for (int l = 0; l < shape.layers; ++l) {
    const TokenSample& sample = router.sample(l);
    auto& experts = samples[static_cast<std::size_t>(l)];
    experts.assign(sample.expert.begin(), sample.expert.end());
    problem.samples.push_back({experts, sample.top_k});
  }
  return place(problem, options);
}

void require_fits(const MemoryPlan& plan, const ModelShape& model) {
  if (plan.kv_blocks > 0) return;
  const Bytes need = plan.expert_weights + plan.other_weights + plan.activations;
  throw InputError(
      fmt::format("{} does not fit: a GPU needs {} of experts, {} of other weights and {} of "
                  "activations = {}, and may use {} of its {}",
                  model.name, to_display(plan.expert_weights), to_display(plan.other_weights),
                  to_display(plan.activations), to_display(need), to_display(plan.usable),
                  to_display(plan.capacity)),
      "room for the weights and at least one KV block",
      "more cluster.nodes, a smaller model.weights dtype, fewer placement.redundant_experts, "
      "or "
      "a larger serving.tp or serving.pp");
}

}  // namespace moesim
