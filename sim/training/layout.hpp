// How a model is spread over the GPUs that train it.
//
// Stages are outermost: stage s has the GPUs [s, s + 1) x stage_gpus and a run of layers.
// Inside a stage the same GPUs are seen twice: dp attention ranks of tp GPUs, and `replicas`
// EP groups of ep GPUs that each hold all experts of the stage. Attention rank of GPU g of a
// stage: g / tp; EP group: g / ep. The EP groups of a number in all stages are one pipeline.
#pragma once

#include "sim/model/shape.hpp"
#include "sim/training/options.hpp"

namespace moesim {

struct TrainingLayout {
  int gpus = 1;
  int stages = 1;
  int stage_gpus = 1;  // = dp x tp = replicas x ep
  int tp = 1;
  int dp = 1;
  int ep = 1;
  int replicas = 1;
  int micro_batches = 1;  // of an attention rank in a step
  int rank_tokens = 1;    // of an attention rank's micro-batch

  // Of an EP group's micro-batch.
  [[nodiscard]] int group_tokens() const { return rank_tokens * (ep / tp); }
  [[nodiscard]] int first_gpu(int stage, int replica = 0) const {
    return stage * stage_gpus + replica * ep;
  }

  friend bool operator==(const TrainingLayout&, const TrainingLayout&) = default;
};

// Throws InputError where the numbers do not divide, naming the keys.
TrainingLayout resolve_layout(const TrainingOptions& options, const ModelShape& model,
                              int gpus);

}  // namespace moesim
