// The six parameters of a roofline from measured points.
#pragma once

#include <vector>

#include "calibrate/roofline.hpp"

namespace moesim {

struct RooflinePoint {
  RooflineWork work;
  double seconds = 0;
};

// Minimizes the soft-L1 loss of log(model / measured), robust against a share of bad rows, by
// Levenberg-Marquardt with fixed start, bounds and iteration count: the same points give the
// same parameters. Fewer than six points: the start.
Roofline fit_roofline(const std::vector<RooflinePoint>& points, double peak_flops,
                      double peak_bandwidth);

}  // namespace moesim
