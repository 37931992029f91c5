// Times of one section's experts: exact curves where the shape was measured, else the roofline
// with its neighbours' correction. Slow to build and to ask; ExpertCurve tabulates it.
#pragma once

#include <optional>
#include <vector>

#include "calibrate/devices.hpp"
#include "calibrate/expert_points.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/residuals.hpp"

namespace moesim {

class ExpertModel {
 public:
  // Curves whose residuals lie far off all others' (median beyond e^.5) keep their own
  // prices and inform no other shape.
  ExpertModel(const ExpertSection& section, const Device& device);

  // Roofline times the neighbours' correction.
  [[nodiscard]] double predict(const ExpertPoint& point) const;
  [[nodiscard]] double roofline(const ExpertPoint& point) const;
  // Distance to the nearest measured point, in units of the metric.
  [[nodiscard]] double nearest(const ExpertPoint& point) const;

 private:
  Dtype dtype_;
  bool gated_;
  Roofline fit_;
  double peak_flops_;
  double peak_bandwidth_;
  std::optional<ResidualField> field_;
};

// Is the shape too far off its section's roofline to say anything about others?
bool is_outlier(std::vector<double> residuals);

// Log-log interpolation of a measured curve; beyond its ends at constant slope.
double interpolate(const ExpertShapeCurve& curve, double tokens);

}  // namespace moesim
