// The correction that measured shapes make to the roofline.
//
// Residuals log(measured / roofline) are a Gaussian process (Rasmussen and Williams 2006,
// chapter 2) over a point's features. Two points are alike by the distance of their features;
// more so if their experts are as many and as wide, for which an engine tunes its block sizes.
// What is a curve's own, and each point's noise, says nothing about other shapes. Far from
// every measurement the correction fades and the roofline is left.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace moesim {

// log2 of rows per active expert, active experts, hidden, intermediate, experts and top_k; then
// 1 where tokens outnumber the layer's experts, else 0: an untuned Triton kernel takes larger
// tiles.
using Features = std::array<double, 7>;

struct ResidualMetric {
  std::string_view name;
  Features weight;       // distance per unit of a feature; covariance shape^2 exp(-distance)
  double shape = 0.5;    // standard deviations of log time: of what shapes have in common,
  double config = 0.1;   // of as many experts as wide,
  double curve = 0.03;   // of one curve alone,
  double noise = 0.015;  // of a point

  // Between two points of different curves.
  [[nodiscard]] double covariance(const Features& a, const Features& b) const;
  // What two points of one curve share besides, its own point's noise apart.
  [[nodiscard]] double curve_covariance(const Features& a, const Features& b) const;
};

// The metrics among which a fit chooses by held-out error; by name in a profile.
std::span<const ResidualMetric> metrics_of_residuals();
const ResidualMetric* find_residual_metric(std::string_view name);

class ResidualField {
 public:
  explicit ResidualField(const ResidualMetric& metric);
  // `weight` is the point's entry of K^-1 y, K the covariance of the points, y their residuals.
  void add(const Features& at, double weight);
  // exp of this times the roofline is the prediction: sum of weight x covariance.
  [[nodiscard]] double at(const Features& features) const;

 private:
  ResidualMetric metric_;
  std::vector<Features> points_;
  std::array<std::vector<double>, std::tuple_size_v<Features>> scaled_;  // by feature
  std::vector<double> weight_;
};

}  // namespace moesim
