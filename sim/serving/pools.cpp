#include "sim/serving/pools.hpp"

#include <fmt/format.h>

#include "sim/base/diagnostics.hpp"
#include "sim/serving/expert_setup.hpp"

namespace moesim {

namespace {

int or_else(int own, int common) { return own > 0 ? own : common; }

ServingOptions with_pool(const ServingOptions& serving, const PoolOptions& pool) {
  ServingOptions s = serving;
  s.instances = pool.instances;
  s.pp = or_else(pool.pp, serving.pp);
  s.tp = or_else(pool.tp, serving.tp);
  s.dp = pool.dp;
  s.ep = pool.ep;
  s.max_batch = or_else(pool.max_batch, serving.max_batch);
  s.max_tokens_per_step = or_else(pool.max_tokens_per_step, serving.max_tokens_per_step);
  return s;
}

// Nodes of the prefill pool.
int prefill_nodes(const ServingOptions& serving, int nodes) {
  int prefill = serving.prefill.nodes;
  const int decode = serving.decode.nodes;
  if (prefill == 0) prefill = decode > 0 ? nodes - decode : nodes / 2;
  if (prefill >= 1 && prefill < nodes && (decode == 0 || prefill + decode == nodes)) {
    return prefill;
  }
  throw InputError(
      fmt::format("the pools have {} and {} nodes, the cluster {}", prefill,
                  decode > 0 ? decode : nodes - prefill, nodes),
      "serving.prefill.nodes + serving.decode.nodes = cluster.nodes, each at least 1",
      "leave one of them out");
}

}  // namespace

std::vector<Pool> plan_pools(const ServingOptions& serving, std::span<const int> first_gpu) {
  const int gpus = first_gpu.back();
  if (serving.mode != ServingMode::disaggregated) {
    return {{.serving = serving, .parallel = resolve_parallelism(serving, gpus)}};
  }
  const int nodes = static_cast<int>(first_gpu.size()) - 1;
  const int border = first_gpu[static_cast<std::size_t>(prefill_nodes(serving, nodes))];
  const ServingOptions prefill = with_pool(serving, serving.prefill);
  const ServingOptions decode = with_pool(serving, serving.decode);
  return {{.role = PoolRole::prefill,
           .serving = prefill,
           .parallel = resolve_parallelism(prefill, border)},
          {.role = PoolRole::decode,
           .serving = decode,
           .parallel = resolve_parallelism(decode, gpus - border),
           .first_gpu = border}};
}

std::vector<Pool> plan_pools(const ServingOptions& serving, int nodes, int gpus) {
  std::vector<int> first;
  for (int n = 0; n <= nodes; ++n) first.push_back(gpus / nodes * n);
  first.back() = gpus;
  return plan_pools(serving, first);
}

void plan_experts(Pool& pool, const ModelShape& model, int redundant_experts,
                  Bytes gpu_memory) {
  const int ep = pool.parallel.ep;
  PlacementOptions placement;
  placement.redundant_experts = redundant_experts;
  if (pool.role != PoolRole::mixed && model.experts > 0) {
    const int slots = (model.experts + redundant_experts + ep - 1) / ep * ep;
    placement.redundant_experts = slots - model.experts;
  }
  pool.slots = expert_slots(model, placement, pool.parallel);
  pool.memory = plan_memory(model, pool.parallel, pool.serving, pool.slots / ep, gpu_memory);
}

}  // namespace moesim
