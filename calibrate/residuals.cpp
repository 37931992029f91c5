#include "calibrate/residuals.hpp"

#include <Eigen/Core>
#include <cmath>

namespace moesim {

namespace {

// Scales found by leaving model shapes out of the tables of A100, H100, H200 and B200.
constexpr std::array<ResidualMetric, 10> kMetrics{{
    {"even", {0.3, 0.1, 0.1, 0.1, 0, 0, 0}},
    {"top_k", {0.3, 0.1, 0.1, 0.1, 0.05, 0.1, 0}},
    {"top_k_only", {0.3, 0.1, 0.1, 0.1, 0.05, 0.3, 0}},
    {"width", {0.3, 0.1, 0.1, 0.3, 0, 0, 0}},
    {"width_tiles", {0.3, 0.1, 0.1, 0.3, 0, 0, 0.5}},
    {"far", {0.3, 0.05, 0.05, 0.05, 0.025, 0.025, 0}},
    {"near", {0.6, 0.2, 0.2, 0.2, 0.1, 0.1, 0}},
    {"local", {1, 0.4, 0.3, 0.3, 0.1, 0.1, 0}, 0.3},
    {"nearest", {3, 1, 1, 1, 0.1, 0.1, 0}, 0.2},
    {"few", {0.6, 0.1, 0.1, 0.3, 0, 0, 0}, 0.3, 0.02},
}};

// Along a curve: rows per expert and active experts, per unit of log2.
constexpr double kAlong = 0.5;

double along(const Features& a, const Features& b) {
  return std::exp(-kAlong * std::hypot(a[0] - b[0], a[1] - b[1]));
}

bool same_config(const Features& a, const Features& b) { return a[3] == b[3] && a[4] == b[4]; }

}  // namespace

double ResidualMetric::covariance(const Features& a, const Features& b) const {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double step = weight[i] * (a[i] - b[i]);
    sum += step * step;
  }
  const double common = shape * shape * std::exp(-std::sqrt(sum));
  return same_config(a, b) ? common + config * config * along(a, b) : common;
}

double ResidualMetric::curve_covariance(const Features& a, const Features& b) const {
  return curve * curve * along(a, b);
}

std::span<const ResidualMetric> metrics_of_residuals() { return kMetrics; }

const ResidualMetric* find_residual_metric(std::string_view name) {
  for (const ResidualMetric& metric : kMetrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

ResidualField::ResidualField(const ResidualMetric& metric) : metric_(metric) {}

void ResidualField::add(const Features& at, double weight) {
  if (weight == 0) return;
  points_.push_back(at);
  weight_.push_back(weight);
  for (std::size_t i = 0; i < at.size(); ++i) {
    scaled_[i].push_back(at[i] * metric_.weight[i]);
  }
}

double ResidualField::at(const Features& features) const {
  using Column = Eigen::Map<const Eigen::ArrayXd>;
  const auto size = static_cast<Eigen::Index>(weight_.size());
  if (size == 0) return 0;
  Eigen::ArrayXd distance2 = Eigen::ArrayXd::Zero(size);
  for (std::size_t i = 0; i < features.size(); ++i) {
    if (metric_.weight[i] == 0) continue;
    distance2 += (Column(scaled_[i].data(), size) - features[i] * metric_.weight[i]).square();
  }
  const Column weight(weight_.data(), size);
  double sum = metric_.shape * metric_.shape * ((-distance2.sqrt()).exp() * weight).sum();
  for (std::size_t p = 0; p < points_.size(); ++p) {
    if (!same_config(points_[p], features)) continue;
    sum += weight_[p] * metric_.config * metric_.config * along(points_[p], features);
  }
  return sum;
}

}  // namespace moesim
