// What must fit into each GPU: weights with all resident experts, activations, and the rest for
// the KV cache. A pipeline stage holds its own layers only; a request has KV in all stages, so
// that the stage with the least room for it says how many tokens an attention rank can hold.
#pragma once

#include <cstdint>

#include "sim/base/units.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/options.hpp"
#include "sim/serving/parallelism.hpp"

namespace moesim {

struct MemoryPlan {
  int stage = 0;               // of the pipeline, the tightest: what follows is of its GPUs
  Bytes capacity{0};           // of the GPU
  Bytes usable{0};             // capacity x serving.memory_fraction
  Bytes expert_weights{0};     // every slot of every MoE layer on this GPU
  Bytes other_weights{0};      // attention, dense FFN, shared experts, embeddings, head
  Bytes activations{0};        // working buffers of one step or micro-batch
  Bytes kv_cache{0};           // what is left; negative: the model does not fit
  Bytes kv_per_token{0};       // on one GPU of the attention rank
  std::int64_t kv_tokens = 0;  // per attention rank
  std::int64_t kv_blocks = 0;  // per attention rank

  friend bool operator==(const MemoryPlan&, const MemoryPlan&) = default;
};

// `slots_per_gpu` are expert slots per layer and expert rank, replicas included.
MemoryPlan plan_memory(const ModelShape& model, const Parallelism& parallel,
                       const ServingOptions& options, int slots_per_gpu, Bytes gpu_memory);

}  // namespace moesim
