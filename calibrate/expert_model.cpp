#include "calibrate/expert_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {

bool is_outlier(std::vector<double> residuals) {
  return std::abs(quantile(std::move(residuals), 0.5)) > 0.5;
}

namespace {

// A curve that its neighbours miss by more than this (median, e^.25) ran by another tactic.
constexpr double kStray = 0.25;
constexpr std::size_t kEvery = 5;  // of a curve's points are asked

struct Curve {
  std::vector<Features> at;
  std::vector<double> residuals;
};

ResidualField field_of(const ResidualMetric& metric, const std::vector<Curve>& curves,
                       const Curve* but) {
  std::vector<Features> at;
  std::vector<double> residuals;
  for (const Curve& curve : curves) {
    if (&curve == but) continue;
    at.insert(at.end(), curve.at.begin(), curve.at.end());
    residuals.insert(residuals.end(), curve.residuals.begin(), curve.residuals.end());
  }
  return {metric, at, residuals};
}

double miss(const ResidualMetric& metric, const std::vector<Curve>& curves,
            const Curve& curve) {
  const ResidualField others = field_of(metric, curves, &curve);
  std::vector<double> misses;
  for (std::size_t i = 0; i < curve.at.size(); i += kEvery) {
    misses.push_back(curve.residuals[i] - others.at(curve.at[i]));
  }
  return std::abs(quantile(std::move(misses), 0.5));
}

// Up to a quarter of the curves, the worst first: without it others may agree again.
std::vector<Curve> without_strays(const ResidualMetric& metric, std::vector<Curve> curves) {
  const std::size_t least = curves.size() - curves.size() / 4;
  std::vector<std::size_t> suspects(curves.size());
  std::iota(suspects.begin(), suspects.end(), std::size_t{0});
  while (curves.size() > least) {
    std::vector<std::pair<double, std::size_t>> strays;
    for (const std::size_t c : suspects) {
      const double by = miss(metric, curves, curves[c]);
      if (by > kStray) strays.emplace_back(by, c);
    }
    if (strays.empty()) break;
    const std::size_t worst = std::max_element(strays.begin(), strays.end())->second;
    curves.erase(curves.begin() + static_cast<std::ptrdiff_t>(worst));
    suspects.clear();
    for (const auto& [by, c] : strays) {
      if (c != worst) suspects.push_back(c > worst ? c - 1 : c);
    }
  }
  return curves;
}

}  // namespace

ExpertModel::ExpertModel(const ExpertSection& section, const Device& device)
    : dtype_(section.key.dtype),
      gated_(section.gated),
      fit_(section.roofline),
      peak_flops_(peak_flops(device, section.key.dtype).value),
      peak_bandwidth_(device.memory_bandwidth.value) {
  const ResidualMetric* metric = find_residual_metric(section.metric);
  if (metric == nullptr) return;  // too few shapes to say anything
  std::vector<Curve> curves;
  for (const ExpertShapeCurve& curve : section.curves) {
    if (curve.most_active > 0 || (section.wide_only && curve.slices > 4)) continue;
    Curve own;
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      own.at.push_back(features_of(point));
      own.residuals.push_back(std::log(point.seconds / roofline(point)));
    }
    if (!is_outlier(own.residuals)) curves.push_back(std::move(own));
  }
  field_.emplace(field_of(*metric, without_strays(*metric, std::move(curves)), nullptr));
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
