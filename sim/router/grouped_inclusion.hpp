// Inclusion probabilities where tokens may only use their best groups of experts.
#pragma once

#include <span>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

// The time before which one more expert of a group would have had to ring to be chosen, as
// Gamma(mean, shape).
struct GroupThreshold {
  double mean = 0;
  double shape = 1;
};

// One per group, from `tokens` exact samples.
std::vector<GroupThreshold> group_thresholds(const RouterShape& shape,
                                             std::span<const double> rates, int tokens,
                                             Stream& stream);

// pi_e = 1 - E[exp(-rate_e X_g)] = 1 - (1 + rate_e mean / shape)^-shape, all means scaled
// alike so that the sum is top_k. Within 1-2 % of exact.
void grouped_inclusion(std::span<const GroupThreshold> thresholds,
                       std::span<const double> rates, int top_k, std::span<double> pi);

}  // namespace moesim
