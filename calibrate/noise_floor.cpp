#include "calibrate/noise_floor.hpp"

#include <cmath>

#include "calibrate/expert_model.hpp"

namespace moesim {

namespace {

// As many tokens as experts or not, the tiles needed, and the tile itself.
bool same_tiles(const Features& a, const Features& b) {
  const auto tile = [](const Features& f) {
    return std::round(f[Feature::rows] + f[Feature::fill] - f[Feature::tiles]);
  };
  return a[Feature::crowded] == b[Feature::crowded] && a[Feature::tiles] == b[Feature::tiles] &&
         tile(a) == tile(b);
}

}  // namespace

ErrorSummary noise_floor(const ExpertSection& section, const Device& device) {
  const ExpertModel model(section, device);
  std::vector<double> sizes;
  for (const ExpertShapeCurve& curve : section.curves) {
    std::vector<Features> at;
    std::vector<double> r;
    for (std::size_t i = 0; i < curve.tokens.size(); ++i) {
      const ExpertPoint point = even_point(curve, curve.tokens[i], curve.seconds[i]);
      at.push_back(features_of(point, section.tuned));
      r.push_back(std::log(point.seconds / model.roofline(point)));
    }
    for (std::size_t i = 1; i + 1 < r.size(); ++i) {
      if (!same_tiles(at[i - 1], at[i]) || !same_tiles(at[i], at[i + 1])) continue;
      const double a = std::log(curve.tokens[i] / curve.tokens[i - 1]) /
                       std::log(curve.tokens[i + 1] / curve.tokens[i - 1]);
      const double d = r[i] - (1 - a) * r[i - 1] - a * r[i + 1];
      sizes.push_back(std::expm1(std::abs(d) / std::sqrt(1 + (1 - a) * (1 - a) + a * a)));
    }
  }
  return {quantile(sizes, 0.5), quantile(sizes, 0.9), 0, static_cast<int>(sizes.size())};
}

}  // namespace moesim
