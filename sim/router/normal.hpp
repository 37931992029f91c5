// The standard normal distribution's quantiles.
#pragma once

namespace moesim {

// z with P(Z <= z) = p, 0 < p < 1. Newton on the logarithm of the tail (absolute error
// below 1e-13).
double normal_quantile(double p);

// P(Z <= z).
double normal_cdf(double z);

}  // namespace moesim
