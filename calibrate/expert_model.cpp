#include "calibrate/expert_model.hpp"

#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

ExpertModel::ExpertModel(const ExpertSection& section, const Device& device)
    : dtype_(section.key.dtype),
      gated_(section.gated),
      tuned_(section.tuned),
      fit_(section.roofline),
      peak_flops_(peak_flops(device, section.key.dtype).value),
      peak_bandwidth_(device.memory_bandwidth.value) {
  if (section.metric.empty()) return;  // too few shapes to say anything
  MOESIM_LAW(section.metric == residual_metric().name, "weights are of this metric");
  field_.emplace();
  for (const ExpertShapeCurve& curve : section.curves) {
    for (std::size_t i = 0; i < curve.weights.size(); ++i) {
      if (curve.weights[i] == 0) continue;
      field_->add(features_of(even_point(curve, curve.tokens[i], curve.seconds[i]), tuned_),
                  curve.weights[i]);
    }
  }
}

double ExpertModel::roofline(const ExpertPoint& point) const {
  return roofline_time(fit_, work_of(point, dtype_, gated_), peak_flops_, peak_bandwidth_);
}

double ExpertModel::predict(const ExpertPoint& point) const {
  const double base = roofline(point);
  return field_ ? base * std::exp(field_->at(features_of(point, tuned_))) : base;
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
