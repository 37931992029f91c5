#include "sim/router/normal.hpp"

#include <cmath>
#include <numbers>

namespace moesim {

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1 - p);
  // Newton in the logarithm of the tail from a crude start: log Phi is concave, so it
  // converges from anywhere on this side.
  double z = -std::sqrt(-2 * std::log(2 * p));
  for (int i = 0; i < 50; ++i) {
    const double cdf = normal_cdf(z);
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double step = std::log(cdf / p) * cdf / density;
    z -= step;
    if (std::abs(step) < 1e-14) break;
  }
  return z;
}

}  // namespace moesim
