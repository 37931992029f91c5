// Parameters by layer as one GPU trains them, and the memory that they and their step take.
#pragma once

#include "sim/model/shape.hpp"
#include "sim/training/layout.hpp"

namespace moesim {

// On one GPU. `shared` parameters are the same on the dp ranks of a stage, `experts` on its
// replicas.
struct TrainedWeights {
  double shared = 0;
  double experts = 0;
  Bytes bytes{0};  // of both, in the formats of the model

  void add(const TrainedWeights& other) {
    shared += other.shared;
    experts += other.experts;
    bytes += other.bytes;
  }
};
TrainedWeights layer_weights(const ModelShape& model, const TrainingLayout& layout, int layer);
// Embedding on the first stage, head on the last.
TrainedWeights end_weights(const ModelShape& model, const TrainingLayout& layout, int stage);

struct TrainingMemory {
  int stage = 0;
  Bytes capacity{0};
  Bytes usable{0};
  Bytes weights{0};
  Bytes gradients{0};
  Bytes optimizer{0};
  Bytes activations{0};
  [[nodiscard]] Bytes used() const { return weights + gradients + optimizer + activations; }
};

// Of the stage that needs most. Mixed-precision Adam keeps 12 bytes per parameter beside weight
// and gradient: a copy in fp32 and two moments (ZeRO, 1910.02054, section 3.1).
TrainingMemory plan_training_memory(const ModelShape& model, const TrainingOptions& options,
                                    const TrainingLayout& layout, Bytes gpu_memory,
                                    double memory_fraction);
inline constexpr double kOptimizerBytes = 12;

}  // namespace moesim
