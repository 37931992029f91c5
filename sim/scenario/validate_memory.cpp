// Whether slots fill the GPUs evenly, and weights and KV cache fit in them.
#include <fmt/format.h>

#include "sim/base/units_text.hpp"
#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"
#include "sim/serving/memory.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/pools.hpp"

namespace moesim {

namespace {

// The pool's GPU with the least memory: all ranks hold the same number of slots.
NodeKind smallest_gpu(const ClusterOptions& cluster, const Pool& pool) {
  const auto kinds = node_kinds(cluster, pool);
  const NodeKind* least = &kinds.front();
  for (const NodeKind& kind : kinds) {
    if (kind.gpu.memory < least->gpu.memory) least = &kind;
  }
  return *least;
}

void check_kv(const Scenario& s, const MemoryPlan& plan, const std::string& memory_key,
              const std::string& parts, Contradictions& tell) {
  const double request = s.traffic.input_tokens.mean.value + s.traffic.output_tokens.mean.value;
  const auto held = static_cast<double>(plan.kv_tokens) / request;
  if (held < 1) {
    tell.error({memory_key, "traffic.input_tokens.mean", "model.weights"},
               fmt::format("beside {}, {} are left for the KV cache: {} tokens, fewer than the "
                           "{:.0f} of a request of mean length",
                           parts, to_display(plan.kv_cache), plan.kv_tokens, request),
               "room for a request: more GPUs, a smaller number format, shorter requests");
  } else if (held < s.serving.max_batch) {
    tell.warning({"serving.max_batch", memory_key},
                 fmt::format("the KV cache of an attention rank holds about {:.0f} requests of "
                             "mean length, fewer than max_batch {}",
                             held, s.serving.max_batch),
                 "memory, not max_batch, will limit the batch");
  }
}

void validate_pool_memory(const Scenario& s, const Pool& pool, Contradictions& tell) {
  const NodeKind kind = smallest_gpu(s.cluster, pool);
  const int slots = slots_per_rank(s, pool.parallel.ep);
  const MemoryPlan plan =
      plan_memory(s.model, pool.parallel, pool.serving, slots, kind.gpu.memory);
  const std::string parts =
      fmt::format("{} of experts ({} per layer), {} of other weights and {} of activations{}",
                  to_display(plan.expert_weights), slots, to_display(plan.other_weights),
                  to_display(plan.activations),
                  pool.parallel.pp > 1 ? fmt::format(" in stage {}", plan.stage) : "");
  const std::string memory_key = kind.key + ".gpu.memory";
  if (plan.kv_cache.value > 0) return check_kv(s, plan, memory_key, parts, tell);
  tell.error({"model.weights", memory_key, kind.key + ".nodes", "serving.tp"},
             fmt::format("the model does not fit: {} per GPU, into {} ({:.0f} % of {})", parts,
                         to_display(plan.usable), s.serving.memory_fraction * 100,
                         to_display(plan.capacity)),
             "more GPUs per instance, a larger serving.tp or serving.pp, fewer redundant "
             "experts, a smaller "
             "number format, or a smaller serving.max_tokens_per_step");
}

}  // namespace

int slots_per_rank(const Scenario& s, int ep) {
  if (s.model.experts == 0) return 0;
  return (s.model.experts + s.placement.redundant_experts + ep - 1) / ep;
}

void settle_redundant_experts(Scenario& s, Contradictions& tell) {
  if (s.model.experts == 0) {
    if (s.placement.redundant_experts > 0) {
      tell.error({"placement.redundant_experts", "model.experts"},
                 "a dense model has no experts to replicate",
                 "placement.redundant_experts = 0");
    }
    return;
  }
  if (s.serving.mode == ServingMode::disaggregated) return;  // each pool fills its own GPUs
  const int ep = resolve_parallelism(s.serving, static_cast<int>(gpu_count(s.cluster))).ep;
  const int slots = s.model.experts + s.placement.redundant_experts;
  const int full = slots_per_rank(s, ep) * ep - s.model.experts;
  if (full == s.placement.redundant_experts) return;
  tell.warning(
      {"placement.redundant_experts", "model.experts", "serving.ep"},
      fmt::format("{} experts + {} redundant = {} slots do not divide over an EP group "
                  "of {}; every GPU gets {} slots, so there are {} redundant experts",
                  s.model.experts, s.placement.redundant_experts, slots, ep,
                  slots_per_rank(s, ep), full),
      fmt::format("placement.redundant_experts = {}", full));
  s.placement.redundant_experts = full;
}

void validate_memory(const Scenario& s, Contradictions& tell) {
  int nodes = 0;
  for (const NodeKind& kind : node_kinds(s.cluster)) nodes += kind.nodes;
  std::vector<Pool> pools;
  try {
    pools = plan_pools(s.serving, nodes, static_cast<int>(gpu_count(s.cluster)));
  } catch (const InputError& error) {  // only the pools know what they can be made of
    for (const Diagnostic& fault : error.diagnostics()) {
      tell.error({"serving.prefill.nodes", "serving.decode.nodes", "serving.mode"},
                 fault.message, fault.expected, fault.hint);
    }
  }
  for (const Pool& pool : pools) validate_pool_memory(s, pool, tell);
}

}  // namespace moesim
