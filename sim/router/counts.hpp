// One step's tokens per expert of one layer, without looking at single tokens.
#pragma once

#include <span>
#include <vector>

#include "sim/base/rng.hpp"

namespace moesim {

// What a layer's counts are drawn from, one value per expert.
struct CountRates {
  std::span<const float> pi;     // inclusion probability; sums to top_k
  std::span<const float> slope;  // d pi / d log rate: what jitter moves
};

// Quantiles of the standard normal and of exp(jitter) - 1, so that a draw is a table look-up.
class CountTables {
 public:
  static constexpr int kBits = 12;
  explicit CountTables(double jitter);

  [[nodiscard]] const float* normal() const { return normal_.data(); }
  [[nodiscard]] const float* jitter() const { return jitter_.data(); }
  [[nodiscard]] bool has_jitter() const { return has_jitter_; }

 private:
  std::vector<float> normal_;
  std::vector<float> jitter_;
  bool has_jitter_;
};

// N_e ~ Binomial(tokens, pi_e), each pi moved by the step's jitter, then the residual to
// tokens x top_k spread in proportion to pi (1 - pi). Every count lies in [0, tokens].
// `scratch` has room for as many floats as there are experts. Allocates nothing.
void draw_counts(const CountRates& rates, const CountTables& tables, int tokens, int top_k,
                 Stream& stream, std::span<float> scratch, std::span<int> counts);

}  // namespace moesim
