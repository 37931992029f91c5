#include "sim/router/inclusion.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::vector<double>& scratch(std::size_t size) {
  thread_local std::vector<double> values;
  values.resize(size);
  return values;
}

}  // namespace

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
    if (std::abs(step) <= 1e-6 * tau) break;
  }
  return tau;
}

void level_inclusion(std::span<const double> rates, int k, std::span<double> pi) {
  const double tau = solve_tau(rates, k);
  for (std::size_t e = 0; e < rates.size(); ++e) pi[e] = -std::expm1(-rates[e] * tau);
}

void inclusion(std::span<const double> rates, int k, std::span<double> pi) {
  const double tau = solve_tau(rates, k);
  double slope = 0;     // of the expected number of rings, in log t
  double variance = 0;  // of the number of rings
  for (std::size_t e = 0; e < rates.size(); ++e) {
    const double miss = std::exp(-rates[e] * tau);
    pi[e] = 1 - miss;
    slope += rates[e] * tau * miss;
    variance += miss * (1 - miss);
  }
  if (variance < 1e-9 * k) return;  // as many positive rates as k: all are certain
  const double shape = slope * slope / variance;
  std::vector<double>& x = scratch(rates.size());
  for (std::size_t e = 0; e < rates.size(); ++e) x[e] = rates[e] * tau * (1 + pi[e] / slope);
  double level = 1;
  for (int i = 0; i < 20; ++i) {
    double sum = 0;
    double steep = 0;
    for (std::size_t e = 0; e < rates.size(); ++e) {
      const double miss = std::exp(-shape * std::log1p(level * x[e] / shape));
      pi[e] = 1 - miss;
      sum += pi[e];
      steep += miss * level * x[e] / (1 + level * x[e] / shape);
    }
    if (std::abs(k - sum) < 1e-6 * k) break;
    level *= std::exp(std::clamp((k - sum) / steep, -1.0, 1.0));
  }
}

namespace {

// P(fewer than k of the experts other than `self` have rung), each with its own chance.
double fewer_than(int k, std::span<const double> rung, std::size_t self,
                  std::vector<double>& exactly) {
  std::fill(exactly.begin(), exactly.end(), 0.0);
  exactly[0] = 1;
  for (std::size_t e = 0; e < rung.size(); ++e) {
    if (e == self) continue;
    for (std::size_t n = exactly.size() - 1; n > 0; --n) {
      exactly[n] += rung[e] * (exactly[n - 1] - exactly[n]);
    }
    exactly[0] *= 1 - rung[e];
  }
  double sum = 0;
  for (int n = 0; n < k; ++n) sum += exactly[static_cast<std::size_t>(n)];
  return sum;
}

}  // namespace

void exact_inclusion(std::span<const double> rates, int k, std::span<double> pi) {
  std::fill(pi.begin(), pi.end(), 0.0);
  const double tau = solve_tau(rates, k);
  double slowest = 1 / tau;
  for (const double rate : rates) slowest = rate > 0 ? std::min(slowest, rate) : slowest;
  // The trapezoidal rule in log t converges faster than any power of its step for integrands
  // that fall off at both ends, as this one does.
  constexpr double kStep = 0.25;
  std::vector<double> rung(rates.size());
  std::vector<double> exactly(static_cast<std::size_t>(k));
  double total = 0;
  for (double y = std::log(tau) - 16; y < std::log(40 / slowest); y += kStep) {
    const double t = std::exp(y);
    for (std::size_t e = 0; e < rates.size(); ++e) rung[e] = -std::expm1(-rates[e] * t);
    for (std::size_t e = 0; e < rates.size(); ++e) {
      const double density = rates[e] * t * std::exp(-rates[e] * t);
      if (density < 1e-14) continue;
      const double chosen = kStep * density * fewer_than(k, rung, e, exactly);
      pi[e] += chosen;
      total += chosen;
    }
  }
  for (double& p : pi) p *= k / total;
}

double rate_of(double pi) { return -std::log1p(-std::min(pi, 1 - 1e-12)); }

}  // namespace moesim
