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

// What a sample of exact tokens says about a router with limited groups.
struct GroupThresholds {
  std::vector<GroupThreshold> group;
  // Per expert, a factor on its inclusion: an expert does not compete with itself, which
  // matters for the hot ones.
  std::vector<double> itself;
};

GroupThresholds group_thresholds(const RouterShape& shape, std::span<const double> rates,
                                 int tokens, Stream& stream);

// pi_e = itself_e (1 - E[exp(-rate_e X_g)]) = itself_e (1 - (1 + rate_e mean / shape)^-shape),
// all means scaled alike so that the sum is top_k.
void grouped_inclusion(const GroupThresholds& thresholds, std::span<const double> rates,
                       int top_k, std::span<double> pi);

}  // namespace moesim
