#include "calibrate/roofline.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

// (a^p + b^p)^(1/p) without overflow for large p.
double smooth_max(double a, double b, double p) {
  const double high = std::max(a, b);
  if (high <= 0) return 0;
  return high * std::pow(1 + std::pow(std::min(a, b) / high, p), 1 / p);
}

}  // namespace

double roofline_time(const Roofline& fit, const RooflineWork& work, double peak_flops,
                     double peak_bandwidth) {
  const double rate = peak_flops * fit.compute * work.rows / (work.rows + fit.half_rows);
  const double compute = work.flops > 0 ? work.flops / rate : 0;
  const double weights = work.weight_bytes / (peak_bandwidth * fit.bandwidth);
  const double activations = work.activation_bytes / (peak_bandwidth * fit.activation_share);
  return fit.fixed_s + smooth_max(compute, weights, fit.sharpness) + activations;
}

RooflineWork expert_work(double assignments, double active, double hidden, double intermediate,
                         double weight_bytes, double activation_bytes, bool gated) {
  const double matrices = gated ? 3 : 2;
  const double up = gated ? 2 : 1;
  RooflineWork work;
  work.flops = 2 * matrices * assignments * hidden * intermediate;
  work.weight_bytes = active * matrices * hidden * intermediate * weight_bytes;
  // In: a row of hidden; between: gate and up written, their product read; out: a bf16 row.
  work.activation_bytes = assignments * (hidden * (activation_bytes + 2) +
                                         intermediate * (2 * up + activation_bytes + 2));
  work.rows = active > 0 ? assignments / active : 0;
  return work;
}

RooflineWork gemm_work(double m, double n, double k, double weight_bytes,
                       double activation_bytes) {
  return {2 * m * n * k, n * k * weight_bytes, m * (k * activation_bytes + 2 * n), m};
}

}  // namespace moesim
