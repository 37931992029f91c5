// What no single key can say: whether the values fit together.
#pragma once

#include "sim/base/diagnostics.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

// How the cluster's GPUs are divided, with the zeros of [serving] resolved.
struct Layout {
  int gpus = 0;       // of the cluster
  int instances = 1;  // each of dp x tp GPUs
  int dp = 1;
  int tp = 1;
  int ep = 1;
  int slots = 0;          // expert slots of a layer over one EP group
  int slots_per_gpu = 0;  // rounded up
};

Layout layout_of(const Scenario& scenario);

// Bytes of one GPU.
struct MemoryPlan {
  Bytes usable{0};       // memory x memory_fraction
  Bytes experts{0};      // slots of all MoE layers, redundant ones included
  Bytes resident{0};     // attention, dense and shared FFNs over tp; router, embedding and head
  Bytes kv_sequence{0};  // KV of one sequence of mean length
  [[nodiscard]] Bytes kv() const { return usable - experts - resident; }
};

MemoryPlan memory_plan(const Scenario& scenario);

// Tells every contradiction, naming both keys and where they were set.
void validate(const Scenario& scenario, Diagnostics& diagnostics);

}  // namespace moesim
