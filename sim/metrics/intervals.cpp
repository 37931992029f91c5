#include "sim/metrics/intervals.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <vector>

namespace moesim {

namespace {

std::optional<Interval> around(double centre, std::span<const double> values, double level) {
  const auto n = values.size();
  if (n < 2) return std::nullopt;
  double squares = 0;
  for (const double v : values) squares += (v - centre) * (v - centre);
  const double deviation = std::sqrt(squares / static_cast<double>(n - 1));
  const double half = t_quantile(level, static_cast<int>(n) - 1) * deviation /
                      std::sqrt(static_cast<double>(n));
  return Interval{centre - half, centre + half};
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

}  // namespace

double t_quantile(double level, int freedom) {
  return boost::math::quantile(boost::math::students_t(freedom), (1 + level) / 2);
}

std::optional<Interval> replication_interval(std::span<const double> values, double level) {
  if (values.empty()) return std::nullopt;
  return around(mean_of(values), values, level);
}

std::optional<Interval> batch_interval(std::span<const double> series,
                                       const Statistic& statistic, double level) {
  const std::size_t n = series.size();
  if (n < 50) return std::nullopt;
  const std::size_t batches = std::clamp<std::size_t>(n / 100, 5, 20);
  std::vector<double> values;
  for (std::size_t b = 0; b < batches; ++b) {
    const std::size_t from = n * b / batches;
    const std::size_t to = n * (b + 1) / batches;
    values.push_back(statistic(series.subspan(from, to - from)));
  }
  return around(statistic(series), values, level);
}

std::size_t mser5(std::span<const double> series) {
  constexpr std::size_t kBatch = 5;
  const std::size_t batches = series.size() / kBatch;
  double sum = 0;
  double squares = 0;
  double best = 0;
  std::size_t drop = 0;
  // From the end: the mean square of what is kept, over its number.
  for (std::size_t kept = 1; kept <= batches; ++kept) {
    const double mean = mean_of(series.subspan((batches - kept) * kBatch, kBatch));
    sum += mean;
    squares += mean * mean;
    const auto n = static_cast<double>(kept);
    const double score = std::max(0.0, squares - sum * sum / n) / (n * n);
    if (2 * kept < batches) continue;
    if (2 * kept <= batches + 1 || score <= best) {
      best = score;
      drop = (batches - kept) * kBatch;
    }
  }
  return drop;
}

}  // namespace moesim
