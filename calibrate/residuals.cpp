#include "calibrate/residuals.hpp"

#include <Eigen/Core>
#include <cmath>

namespace moesim {

namespace {

// Scales found by leaving model shapes out of the tables; errors hardly move with any of them.
constexpr ResidualMetric kMetric{
    "blocks",
    {{
        // rows, active, hidden, intermediate, experts, top_k, crowded, waves, waves, tile,
        // fill, tuned
        {0.2, {0.3, 0.1, 0.1, 0.1, 0.05, 0.3, 0.5, 0, 0, 0, 0, 1.0}},
        {0.2, {0.3, 0.05, 0.05, 0.05, 0.025, 0.025, 0.5, 0, 0, 0, 0, 1.0}},
        {0.4, {0.3, 0.1, 0.1, 0.3, 0, 0, 0.5, 0, 0, 0, 0, 1.0}},
        {0.2, {0.6, 0.2, 0.2, 0.2, 0.1, 0.1, 0.5, 0, 0, 0, 0, 1.0}},
        {0.2, {0.1, 0, 0, 0, 0, 0, 0.5, 0.3, 0.3, 0, 0, 1.0}},
        {0.2, {0.3, 0.1, 0.1, 0.1, 0.1, 0, 0.5, 0, 0, 1, 1, 1.0}},
    }}};

// Along a curve: rows per expert and active experts, per unit of log2.
constexpr double kAlong = 0.5;

double along(const Features& a, const Features& b) {
  return std::exp(-kAlong * std::hypot(a[0] - b[0], a[1] - b[1]));
}

bool same_config(const Features& a, const Features& b) { return a[3] == b[3] && a[4] == b[4]; }

}  // namespace

double ResidualMetric::covariance(const Features& a, const Features& b) const {
  double sum = same_config(a, b) ? config * config * along(a, b) : 0;
  for (const Likeness& like : likeness) {
    double distance2 = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double step = like.weight[i] * (a[i] - b[i]);
      distance2 += step * step;
    }
    sum += like.scale * like.scale * std::exp(-std::sqrt(distance2));
  }
  return sum;
}

double ResidualMetric::curve_covariance(const Features& a, const Features& b) const {
  return curve * curve * along(a, b);
}

const ResidualMetric& residual_metric() { return kMetric; }

void ResidualField::add(const Features& at, double weight) {
  if (weight == 0) return;
  points_.push_back(at);
  weight_.push_back(weight);
  for (std::size_t i = 0; i < at.size(); ++i) by_feature_[i].push_back(at[i]);
}

double ResidualField::at(const Features& features) const {
  using Column = Eigen::Map<const Eigen::ArrayXd>;
  const auto size = static_cast<Eigen::Index>(weight_.size());
  if (size == 0) return 0;
  const Column weight(weight_.data(), size);
  double sum = 0;
  Eigen::ArrayXd distance2(size);
  for (const Likeness& like : kMetric.likeness) {
    distance2.setZero();
    for (std::size_t i = 0; i < features.size(); ++i) {
      if (like.weight[i] == 0) continue;
      const Column column(by_feature_[i].data(), size);
      distance2 += (like.weight[i] * (column - features[i])).square();
    }
    sum += like.scale * like.scale * ((-distance2.sqrt()).exp() * weight).sum();
  }
  for (std::size_t p = 0; p < points_.size(); ++p) {
    if (!same_config(points_[p], features)) continue;
    sum += weight_[p] * kMetric.config * kMetric.config * along(points_[p], features);
  }
  return sum;
}

}  // namespace moesim
