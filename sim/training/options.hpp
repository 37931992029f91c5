// The [training] section: what a step trains on, and how the model is spread over the GPUs.
#pragma once

#include "sim/base/dtype.hpp"
#include "sim/base/units.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

// Which activations the backward pass computes again instead of keeping them.
enum class Recompute { none, full };

struct TrainingOptions {
  int global_batch = 256;  // sequences per step, over all attention ranks
  int micro_batch = 1;     // sequences that an attention rank computes at once
  int sequence = 4096;     // tokens of a sequence
  int steps = 20;          // simulated; each draws its own routing
  int tp = 1;              // GPUs per attention rank
  int pp = 1;              // pipeline stages
  int ep = 0;              // GPUs that share a layer's experts; 0: all GPUs of a stage
  Recompute recompute = Recompute::none;
  Overlap overlap = Overlap::none;  // of dispatch and combine; two_batch: with another
                                    // micro-batch, where there is one
  bool overlap_gradients = true;    // reduced while the last backward pass goes on
  bool shard_optimizer = true;      // its state is divided over the ranks that share weights
  Dtype gradients = Dtype::fp32;    // summed over micro-batches and ranks in this format

  friend bool operator==(const TrainingOptions&, const TrainingOptions&) = default;
};

}  // namespace moesim
