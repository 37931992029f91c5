// The correction that measured neighbours make to the roofline.
//
// A point's features are log2 of (tokens per active expert, active experts, hidden,
// intermediate, experts). Its correction is the residual log(measured / roofline) of its
// nearest neighbours, combined by ordinary distance weights or by simple kriging with an
// exponential covariance: far from every measurement it falls back to the roofline.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace moesim {

using Features = std::array<double, 5>;

// How near two points are, and how neighbours are combined.
struct ResidualMetric {
  std::string_view name;
  Features weight;     // per unit of log2
  int neighbours = 6;  // at most 32
  double nugget = 0;   // variance of the noise, of the covariance's 1; 0: inverse distance
};

// The metrics among which a fit chooses by held-out error; by name in a profile.
std::span<const ResidualMetric> metrics_of_residuals();
const ResidualMetric* find_residual_metric(std::string_view name);

class ResidualField {
 public:
  ResidualField(const ResidualMetric& metric, std::span<const Features> at,
                std::span<const double> residuals);
  // exp of this times the roofline is the prediction.
  [[nodiscard]] double at(const Features& features) const;
  // Distance to the nearest point, in the metric.
  [[nodiscard]] double nearest(const Features& features) const;

 private:
  ResidualMetric metric_;
  std::vector<Features> scaled_;
  std::vector<double> residuals_;
};

}  // namespace moesim
