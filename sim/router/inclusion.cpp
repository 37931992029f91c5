#include "sim/router/inclusion.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

double solve_tau(std::span<const double> rates, int k) {
  double total = 0;
  std::size_t positive = 0;
  for (const double rate : rates) {
    total += rate;
    positive += rate > 0 ? 1 : 0;
  }
  MOESIM_LAW(total > 0 && std::isfinite(total), "a router gives some expert a positive rate");
  const double target = std::min<double>(k, static_cast<double>(positive));
  const bool certain = target >= static_cast<double>(positive);
  if (certain) {
    double slowest = total;
    for (const double rate : rates) slowest = rate > 0 ? std::min(slowest, rate) : slowest;
    return 40 / slowest;
  }
  // The sum is concave and increasing in tau, so Newton's steps from the left never overshoot.
  double tau = target / total;
  for (int i = 0; i < 60; ++i) {
    double sum = 0;
    double slope = 0;
    for (const double rate : rates) {
      const double miss = std::exp(-rate * tau);
      sum += 1 - miss;
      slope += rate * miss;
    }
    const double step = (target - sum) / slope;
    tau += step;
    if (std::abs(step) <= 1e-10 * tau) break;
  }
  return tau;
}

void inclusion(std::span<const double> rates, int k, std::span<double> pi) {
  const double tau = solve_tau(rates, k);
  for (std::size_t e = 0; e < rates.size(); ++e) pi[e] = -std::expm1(-rates[e] * tau);
}

double rate_of(double pi) { return -std::log1p(-std::min(pi, 1 - 1e-12)); }

}  // namespace moesim
