#include "calibrate/measure/statistics.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

std::pair<int, int> median_interval_ranks(int n) {
  // Sum of Binomial(n, 1/2) from 0 upwards, in logarithms: safe for any n.
  double log_term = -n * std::log(2.0);
  double tail = std::exp(log_term);
  int rank = 0;
  for (int r = 1; r <= n / 2; ++r) {
    log_term += std::log(static_cast<double>(n - r + 1) / r);
    tail += std::exp(log_term);
    if (tail > 0.025) break;
    rank = r;
  }
  return {rank, n - 1 - rank};
}

Summary summarize(std::span<const double> sample) {
  MOESIM_LAW(!sample.empty(), "a summary is of something");
  std::vector<double> sorted(sample.begin(), sample.end());
  std::sort(sorted.begin(), sorted.end());
  const int n = static_cast<int>(sorted.size());
  const auto at = [&](int i) { return sorted[static_cast<std::size_t>(i)]; };
  const auto [low, high] = median_interval_ranks(n);
  const int p99 = std::clamp(static_cast<int>(std::ceil(0.99 * n)) - 1, 0, n - 1);
  return {n, (at((n - 1) / 2) + at(n / 2)) / 2, at(low), at(high), at(p99)};
}

}  // namespace moesim
