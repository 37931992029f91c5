// One step's tokens per expert of one layer, without looking at single tokens.
#pragma once

#include <span>

#include "sim/base/rng.hpp"

namespace moesim {

// What a layer's counts are drawn from, one value per expert.
struct CountRates {
  std::span<const float> pi;     // inclusion probability; sums to top_k
  std::span<const float> slope;  // d pi / d log rate: what jitter moves
};

// N_e ~ Binomial(tokens, pi_e), each pi moved by the step's jitter (std of log rate), then the
// residual to tokens x top_k spread in proportion to pi (1 - pi). Every count lies in [0,
// tokens]. `scratch` has room for two floats per expert. Allocates nothing.
void draw_counts(const CountRates& rates, double jitter, int tokens, int top_k, Stream& stream,
                 std::span<float> scratch, std::span<int> counts);

}  // namespace moesim
