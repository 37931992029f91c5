#include "sim/serving/memory.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moesim {

namespace {

// Live bf16 rows of a step at their widest: the residual, the hidden state, and an FFN's gate
// and up on one GPU. Engines reuse buffers between layers, so layers do not add up.
Bytes activation_bytes(const ModelShape& model, const Parallelism& parallel, int tokens) {
  const double ffn =
      std::max({static_cast<double>(model.dense_intermediate) / parallel.tp,
                static_cast<double>(model.shared_intermediate) / parallel.tp,
                static_cast<double>(model.moe_intermediate) * model.top_k / parallel.moe_tp});
  const double width = 4.0 * model.hidden + 3.0 * ffn;
  return Bytes{2.0 * width * tokens};
}

// The MLA latent is kept whole on every GPU of a rank; GQA heads are divided.
Bytes kv_per_token(const ModelShape& model, const Parallelism& parallel, LayerRange layers) {
  const int shards = model.attention.kind == AttentionKind::mla
                         ? 1
                         : std::min(parallel.tp, std::max(1, model.attention.kv_heads));
  return kv_bytes_per_token(model, layers) / static_cast<double>(shards);
}

MemoryPlan plan_stage(const ModelShape& model, const Parallelism& parallel,
                      const ServingOptions& options, int slots_per_gpu, Bytes gpu_memory,
                      int stage) {
  const LayerRange layers = layers_of(model, parallel.pp, stage);
  MemoryPlan plan;
  plan.stage = stage;
  plan.capacity = gpu_memory;
  plan.usable = gpu_memory * options.memory_fraction;
  if (model.experts > 0) {
    plan.expert_weights = expert_bytes(model) * static_cast<double>(slots_per_gpu) *
                          static_cast<double>(moe_layer_count(model, layers)) /
                          static_cast<double>(parallel.moe_tp);
  }
  plan.other_weights = resident_bytes(model, layers) / static_cast<double>(parallel.tp);
  const int micro_batch = (options.max_tokens_per_step + parallel.pp - 1) / parallel.pp;
  plan.activations = activation_bytes(model, parallel, micro_batch);
  plan.kv_cache = plan.usable - plan.expert_weights - plan.other_weights - plan.activations;
  plan.kv_per_token = kv_per_token(model, parallel, layers);
  // A stage of linear attention alone keeps no KV, and limits none.
  if (plan.kv_per_token.value == 0 && plan.kv_cache.value > 0) {
    plan.kv_blocks = std::numeric_limits<std::int64_t>::max() / options.kv_block;
  } else {
    const double tokens = std::max(0.0, plan.kv_cache / plan.kv_per_token);
    plan.kv_blocks = static_cast<std::int64_t>(std::floor(tokens / options.kv_block));
  }
  plan.kv_tokens = plan.kv_blocks * options.kv_block;
  return plan;
}

}  // namespace

MemoryPlan plan_memory(const ModelShape& model, const Parallelism& parallel,
                       const ServingOptions& options, int slots_per_gpu, Bytes gpu_memory) {
  MemoryPlan least = plan_stage(model, parallel, options, slots_per_gpu, gpu_memory, 0);
  for (int stage = 1; stage < parallel.pp; ++stage) {
    const MemoryPlan plan =
        plan_stage(model, parallel, options, slots_per_gpu, gpu_memory, stage);
    const bool tighter = plan.kv_blocks < least.kv_blocks ||
                         (plan.kv_blocks == least.kv_blocks && plan.kv_cache < least.kv_cache);
    if (tighter) least = plan;
  }
  return least;
}

}  // namespace moesim
