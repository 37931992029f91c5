// Times of one section's experts: exact curves where the shape was measured, else the roofline
// with the correction that other shapes make. Slow to build and to ask; ExpertCurve tabulates
// it.
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
  ExpertModel(const ExpertSection& section, const Device& device);

  // Roofline times the correction.
  [[nodiscard]] double predict(const ExpertPoint& point) const;
  [[nodiscard]] double roofline(const ExpertPoint& point) const;

 private:
  Dtype dtype_;
  bool gated_;
  TunedShapes tuned_;
  Roofline fit_;
  double peak_flops_;
  double peak_bandwidth_;
  std::optional<ResidualField> field_;
};

// Log-log interpolation of a measured curve; beyond its ends at constant slope.
double interpolate(const ExpertShapeCurve& curve, double tokens);

}  // namespace moesim
