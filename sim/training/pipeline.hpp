// One forward, one backward: the order in which a pipeline's stages take their micro-batches.
//
// Stage s of p begins with min(p - s - 1, m) forward passes, then takes a forward and a
// backward pass in turn, then the backward passes that are left (PipeDream-Flush, 2006.09503;
// Megatron-LM, 2104.04473, section 2.2.1). It keeps the activations of at most p - s
// micro-batches. With equal passes f and b the whole takes (m + p - 1)(f + b), of which (p - 1)
// / (m + p - 1) is waiting.
#pragma once

#include <span>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

// One micro-batch on one stage.
struct StagePass {
  Seconds forward{0};
  Seconds backward{0};
};

// passes [stages][micro-batches]; `transfer` [stages - 1] is what activations or gradients take
// between a stage and the next. Returns [stages] when the stage's last backward pass has ended.
std::vector<Seconds> run_pipeline(std::span<const std::vector<StagePass>> passes,
                                  std::span<const Seconds> transfer);

}  // namespace moesim
