// Many binomials at once, in blocks that the compiler turns into vector code. Every operation
// is on one lane, so that the numbers are the same however wide the machine's vectors are.
#pragma once

#include <cstdint>
#include <span>

namespace moesim {

// out[i] ~ Binomial(n, p[i]) from the random bits[i]. Below a mean of 3 by inversion, exact to
// single precision; above it by the Cornish-Fisher expansion, the variance p (1 - p) widened by
// all / (all - own), own = p (1 - p) and all = max(2 own, `variance`): that much is lost when a
// residual is spread over counts with this sum of variances. Allocates nothing.
void draw_binomials(int n, std::span<const float> p, float variance,
                    std::span<const std::uint64_t> bits, std::span<int> out);

// Quantiles of the standard normal distribution, so that a draw is a look-up by 12 random bits.
constexpr std::uint64_t kNormals = 4096;
const float* normal_table();

}  // namespace moesim
