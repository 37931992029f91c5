// What a training run found out beyond what every result has.
#pragma once

#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

struct NamedSeconds {
  std::string name;
  Seconds seconds{0};
};

// Means over the simulated steps.
struct TrainingResult {
  Seconds step_time{0};
  std::vector<NamedSeconds> phases;  // mean over stages and replicas; add up to step_time
  std::vector<NamedSeconds> passes;  // the same time by pass; adds up as well
  double tokens_per_step = 0;
  TokensPerSecond tokens{0};
  TokensPerSecond tokens_per_gpu{0};
  Flops model_flops_per_token{0};  // forward and backward, nothing computed again
  double mfu = 0;                  // model flops per second over the GPUs' peak
  double dropped_share = 0;        // of the assignments, by a capacity
  double bubble_share = 0;         // of the step
  double bubble_ideal = 0;         // (stages - 1) / (micro-batches + stages - 1)
  int micro_batches = 1;           // of an attention rank and step
  int stages = 1;
  int dp = 1;
  int tp = 1;
  int ep = 1;
  int replicas = 1;  // EP groups of a stage
  // On a GPU of the stage that needs most.
  int fullest_stage = 0;
  Bytes weights{0};
  Bytes gradients{0};
  Bytes optimizer{0};
  Bytes activations{0};
};

}  // namespace moesim
