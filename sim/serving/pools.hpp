// Pools of instances of one role, and which GPUs each has.
//
// aggregated: one pool of all GPUs whose instances do everything. disaggregated: a prefill pool
// on the cluster's first nodes, which computes prompts and first tokens, and a decode pool on
// the others, which gets the KV of a prompt and produces the rest.
#pragma once

#include <span>
#include <vector>

#include "sim/serving/memory.hpp"
#include "sim/serving/parallelism.hpp"

namespace moesim {

enum class PoolRole { mixed, prefill, decode };

struct Pool {
  PoolRole role = PoolRole::mixed;
  ServingOptions serving;  // with the pool's own values in place
  Parallelism parallel;
  int first_gpu = 0;
  int slots = 0;  // of experts per layer, over the EP group; filled by plan_experts
  MemoryPlan memory;
};

// `first_gpu` [nodes + 1]: node n has the GPUs [first_gpu[n], first_gpu[n + 1]). Throws
// InputError where the numbers do not divide. Fills all but slots and memory.
std::vector<Pool> plan_pools(const ServingOptions& serving, std::span<const int> first_gpu);

// The same for nodes of equal size, of which there may be one kind or several.
std::vector<Pool> plan_pools(const ServingOptions& serving, int nodes, int gpus);

// Slots and memory of a pool. In a disaggregated system, slots beyond experts + redundant fill
// every GPU evenly, as the pools' EP groups differ. Throws InputError as expert_slots does.
void plan_experts(Pool& pool, const ModelShape& model, int redundant_experts, Bytes gpu_memory);

}  // namespace moesim
