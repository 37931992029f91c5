#include "sim/router/load_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::vector<double> as_doubles(std::span<const int> counts) {
  return {counts.begin(), counts.end()};
}

// Gini = sum_i (2 i - n + 1) x_i / (n sum x), x ascending, i from 0.
double gini(std::vector<double> loads, double total) {
  std::sort(loads.begin(), loads.end());
  const auto n = static_cast<double>(loads.size());
  double weighted = 0;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    weighted += (2 * static_cast<double>(i) - n + 1) * loads[i];
  }
  return weighted / (n * total);
}

}  // namespace

LoadMetrics measure_load(std::span<const double> loads) {
  LoadMetrics m;
  const auto n = static_cast<double>(loads.size());
  for (const double x : loads) m.tokens += x;
  if (m.tokens <= 0) {
    m.dead = static_cast<int>(loads.size());
    return m;
  }
  const double mean = m.tokens / n;
  double squares = 0;
  double entropy = 0;
  for (const double x : loads) {
    squares += (x - mean) * (x - mean);
    if (x > 0) entropy -= x / m.tokens * std::log(x / m.tokens);
    m.active += x > 0 ? 1 : 0;
    m.dead += x < kDead * mean ? 1 : 0;
    m.hot += x > kHot * mean ? 1 : 0;
  }
  m.max_over_mean = *std::max_element(loads.begin(), loads.end()) / mean;
  m.cv = std::sqrt(squares / n) / mean;
  m.entropy = loads.size() > 1 ? entropy / std::log(n) : 1;
  m.gini = gini({loads.begin(), loads.end()}, m.tokens);
  return m;
}

LoadMetrics measure_load(std::span<const int> counts) {
  return measure_load(std::span<const double>(as_doubles(counts)));
}

double top_share(std::span<const double> loads, int top) {
  std::vector<double> sorted(loads.begin(), loads.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double total = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  const auto n = std::min(sorted.size(), static_cast<std::size_t>(std::max(top, 0)));
  const double most =
      std::accumulate(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n), 0.0);
  return total > 0 ? most / total : 0;
}

double top_share(std::span<const int> counts, int top) {
  return top_share(std::span<const double>(as_doubles(counts)), top);
}

double balance_loss(std::span<const int> counts, std::span<const float> inclusion) {
  MOESIM_LAW(counts.size() == inclusion.size(), "one inclusion probability per expert");
  double tokens = 0;
  double mass = 0;
  double product = 0;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    tokens += counts[e];
    mass += inclusion[e];
    product += counts[e] * static_cast<double>(inclusion[e]);
  }
  return tokens > 0 && mass > 0 ? static_cast<double>(counts.size()) * product / (tokens * mass)
                                : 1;
}

}  // namespace moesim
