// How far a simulated figure may be from the truth: Student-t intervals over independent
// replications, or over the batches of one run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace moesim {

struct Interval {
  double low = 0;
  double high = 0;
  friend bool operator==(const Interval&, const Interval&) = default;
};

inline constexpr double kConfidence = 0.95;

// x with P(-x <= t <= x) = level for Student's t with `freedom` degrees.
double t_quantile(double level, int freedom);

// Of the mean of independent values (one per replication); empty with fewer than two.
std::optional<Interval> replication_interval(std::span<const double> values,
                                             double level = kConfidence);

// Of any statistic of one correlated series, by sectioning (Asmussen and Glynn, "Stochastic
// Simulation", 2007, III.5a): the series is cut into 5 to 20 batches of at least 100 values
// where there are enough; theta +- t s / sqrt(batches) with s about the whole series' theta.
// Empty with fewer than 50 values.
using Statistic = std::function<double(std::span<const double>)>;
std::optional<Interval> batch_interval(std::span<const double> series,
                                       const Statistic& statistic, double level = kConfidence);

// How many values to drop from the begin of a series so that what remains is closest to steady:
// MSER-5 (White, Cobb and Spratt, "A comparison of five steady-state truncation heuristics for
// simulation", WSC 2000). At most half of them.
std::size_t mser5(std::span<const double> series);

}  // namespace moesim
