#include "sim/serving/memory.hpp"

#include <algorithm>
#include <cmath>

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
Bytes kv_per_token(const ModelShape& model, const Parallelism& parallel) {
  const int shards = model.attention.kind == AttentionKind::mla
                         ? 1
                         : std::min(parallel.tp, std::max(1, model.attention.kv_heads));
  return kv_bytes_per_token(model) / static_cast<double>(shards);
}

}  // namespace

MemoryPlan plan_memory(const ModelShape& model, const Parallelism& parallel,
                       const ServingOptions& options, int slots_per_gpu, Bytes gpu_memory) {
  MemoryPlan plan;
  plan.capacity = gpu_memory;
  plan.usable = gpu_memory * options.memory_fraction;
  if (model.experts > 0) {
    plan.expert_weights = expert_bytes(model) * static_cast<double>(slots_per_gpu) *
                          static_cast<double>(moe_layer_count(model)) /
                          static_cast<double>(parallel.moe_tp);
  }
  plan.other_weights = resident_bytes(model) / static_cast<double>(parallel.tp);
  plan.activations = activation_bytes(model, parallel, options.max_tokens_per_step);
  plan.kv_cache = plan.usable - plan.expert_weights - plan.other_weights - plan.activations;
  plan.kv_per_token = kv_per_token(model, parallel);
  const double tokens = std::max(0.0, plan.kv_cache / plan.kv_per_token);
  plan.kv_blocks = static_cast<std::int64_t>(std::floor(tokens / options.kv_block));
  plan.kv_tokens = plan.kv_blocks * options.kv_block;
  return plan;
}

}  // namespace moesim
