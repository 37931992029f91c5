// What a set of timings says: the median and how sure it is.
#pragma once

#include <span>
#include <utility>
#include <vector>

namespace moesim {

struct Summary {
  int count = 0;
  double median = 0;
  double low = 0;  // 95 % interval of the median
  double high = 0;
  double p99 = 0;  // nearest rank

  // (high - low) / median.
  [[nodiscard]] double relative_interval() const {
    return median > 0 ? (high - low) / median : 0;
  }
  friend bool operator==(const Summary&, const Summary&) = default;
};

// Fewer timings than this have no 95 % interval: 2 * 0.5^5 > 0.05.
inline constexpr int kFewestForInterval = 6;

// Ranks (from 0) of the order statistics between which the median of the population lies with
// at least 95 %: for X ~ Binomial(n, 1/2) the largest r with P(X <= r) <= 2.5 %, and its
// mirror. Free of assumptions on the distribution (Conover, Practical Nonparametric
// Statistics, 3.2). (0, n - 1) where n < 6.
std::pair<int, int> median_interval_ranks(int n);

// Of a non-empty sample in any order.
Summary summarize(std::span<const double> sample);

}  // namespace moesim
