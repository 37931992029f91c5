#include "calibrate/expert_model.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

bool is_outlier(std::vector<double> residuals) {
  return std::abs(quantile(std::move(residuals), 0.5)) > 0.5;
}

ExpertModel::ExpertModel(const ExpertSection& section, const Device& device)
    : dtype_(section.key.dtype),
      gated_(section.gated),
      fit_(section.roofline),
      peak_flops_(peak_flops(device, section.key.dtype).value),
      peak_bandwidth_(device.memory_bandwidth.value) {
  const ResidualMetric* metric = find_residual_metric(section.metric);
  if (metric == nullptr) return;  // too few shapes to say anything
  std::vector<Features> features;
  std::vector<double> residuals;
  for (const ExpertShapeCurve& curve : section.curves) {
    if (section.wide_only && curve.slices > 4) continue;
    std::vector<Features> own_features;
    std::vector<double> own;
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      own_features.push_back(features_of(point));
      own.push_back(std::log(point.seconds / roofline(point)));
    }
    if (is_outlier(own)) continue;
    features.insert(features.end(), own_features.begin(), own_features.end());
    residuals.insert(residuals.end(), own.begin(), own.end());
  }
  field_.emplace(*metric, features, residuals);
}

double ExpertModel::roofline(const ExpertPoint& point) const {
  return roofline_time(fit_, work_of(point, dtype_, gated_), peak_flops_, peak_bandwidth_);
}

double ExpertModel::predict(const ExpertPoint& point) const {
  const double base = roofline(point);
  return field_ ? base * std::exp(field_->at(features_of(point))) : base;
}

double ExpertModel::nearest(const ExpertPoint& point) const {
  return field_ ? field_->nearest(features_of(point)) : HUGE_VAL;
}

double interpolate(const ExpertShapeCurve& curve, double tokens) {
  MOESIM_LAW(!curve.tokens.empty(), "a measured curve has points");
  if (curve.tokens.size() == 1) return curve.seconds.front();
  std::size_t i = 1;
  while (i + 1 < curve.tokens.size() && curve.tokens[i] < tokens) ++i;
  const double part =
      std::log(tokens / curve.tokens[i - 1]) / std::log(curve.tokens[i] / curve.tokens[i - 1]);
  return curve.seconds[i - 1] * std::pow(curve.seconds[i] / curve.seconds[i - 1], part);
}

}  // namespace moesim
