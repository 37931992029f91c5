#include "calibrate/residuals.hpp"

#include <algorithm>
#include <cmath>

#include "calibrate/solve.hpp"

namespace moesim {

namespace {

constexpr int kMost = 32;

// Found by leaving model shapes out of the tables of A100, H100, H200 and B200.
constexpr std::array<ResidualMetric, 7> kMetrics{{
    {"nearest6", {3, 1, 1, 1, 0}, 6, 0},
    {"krige16", {0.3, 0.1, 0.1, 0.1, 0}, 16, 0.01},
    {"krige16_tokens", {1, 0.4, 0.3, 0.3, 0}, 16, 0.03},
    {"krige24", {0.6, 0.2, 0.2, 0.2, 0.1}, 24, 0.02},
    {"krige12_experts", {1, 0.3, 0.3, 0.3, 0.3}, 12, 0.02},
    {"krige24_width", {0.5, 0.1, 0.1, 0.3, 0.1}, 24, 0.02},
    {"krige24_config", {0.5, 0.1, 0.1, 0.5, 0.2}, 24, 0.02},
}};

double distance2(const Features& a, const Features& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

Features scale(const Features& features, const Features& weight) {
  Features out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = features[i] * weight[i];
  return out;
}

struct Neighbour {
  double distance2;
  int index;
  bool operator<(const Neighbour& o) const {
    return distance2 < o.distance2 || (distance2 == o.distance2 && index < o.index);
  }
};

// The nearest `count` in increasing order; ties by index.
int find_nearest(const std::vector<Features>& points, const Features& at, int count,
                 std::array<Neighbour, kMost>& found) {
  int size = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Neighbour next{distance2(points[i], at), static_cast<int>(i)};
    if (size == count && !(next < found[static_cast<std::size_t>(size - 1)])) continue;
    int place = size < count ? size++ : size - 1;
    for (; place > 0 && next < found[static_cast<std::size_t>(place - 1)]; --place) {
      found[static_cast<std::size_t>(place)] = found[static_cast<std::size_t>(place - 1)];
    }
    found[static_cast<std::size_t>(place)] = next;
  }
  return size;
}

}  // namespace

std::span<const ResidualMetric> metrics_of_residuals() { return kMetrics; }

const ResidualMetric* find_residual_metric(std::string_view name) {
  for (const ResidualMetric& metric : kMetrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

ResidualField::ResidualField(const ResidualMetric& metric, std::span<const Features> at,
                             std::span<const double> residuals)
    : metric_(metric), residuals_(residuals.begin(), residuals.end()) {
  scaled_.reserve(at.size());
  for (const Features& features : at) scaled_.push_back(scale(features, metric.weight));
}

double ResidualField::at(const Features& features) const {
  if (scaled_.empty()) return 0;
  std::array<Neighbour, kMost> found;
  const Features here = scale(features, metric_.weight);
  const int n = find_nearest(scaled_, here, std::min(metric_.neighbours, kMost), found);
  const auto size = static_cast<std::size_t>(n);
  const auto residual = [&](std::size_t i) {
    return residuals_[static_cast<std::size_t>(found[i].index)];
  };
  if (metric_.nugget == 0) {
    double sum = 0, weights = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const double weight = 1 / (found[i].distance2 + 1e-3);
      sum += weight * residual(i);
      weights += weight;
    }
    return sum / weights;
  }
  // Simple kriging (Matheron 1963) with covariance exp(-d) and mean zero.
  std::array<double, kMost * kMost> covariance;
  std::array<double, kMost> weight;
  for (std::size_t i = 0; i < size; ++i) {
    const Features& a = scaled_[static_cast<std::size_t>(found[i].index)];
    for (std::size_t j = 0; j <= i; ++j) {
      const Features& b = scaled_[static_cast<std::size_t>(found[j].index)];
      const double value = i == j ? 1 + metric_.nugget : std::exp(-std::sqrt(distance2(a, b)));
      covariance[i * size + j] = covariance[j * size + i] = value;
    }
    weight[i] = std::exp(-std::sqrt(found[i].distance2));
  }
  solve_spd({covariance.data(), size * size}, {weight.data(), size}, n);
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += weight[i] * residual(i);
  return sum;
}

double ResidualField::nearest(const Features& features) const {
  const Features here = scale(features, metric_.weight);
  double best = HUGE_VAL;
  for (const Features& point : scaled_) best = std::min(best, distance2(point, here));
  return std::sqrt(best);
}

}  // namespace moesim
