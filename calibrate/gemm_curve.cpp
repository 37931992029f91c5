// Dense GEMMs: from a profile's section to the table that is looked up per layer.
#include <cmath>

#include "calibrate/cost_model.hpp"
#include "calibrate/fit_gemm.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/section_choice.hpp"
#include "calibrate/tabulate.hpp"

namespace moesim {

GemmCurve CostModel::gemm(double n, double k, Dtype dtype) const {
  const auto* section =
      choose_section(profile_->gemms, dtype, [](const GemmSection&) { return true; });
  const DtypeInfo type = info(dtype);
  const auto roofline = [&](const Roofline& fit, double m) {
    return roofline_time(fit, gemm_work(m, n, k, type.weight_bytes, type.activation_bytes),
                         peak_flops(target_, dtype).value, target_.memory_bandwidth.value);
  };
  const std::vector<double> filler = half_octaves(1, 1 << 18);
  CurveOrigin origin{Provenance::assumed, 0.4, "datasheet roofline"};
  if (section == nullptr) {
    add_transfer(origin);
    const Roofline typical{5e-6, 0.7, 0.8, 30, 3, 0.8};
    return {tabulate(filler, {1.0}, [&](double m, double) { return roofline(typical, m); }),
            origin};
  }
  const GemmModel model(*section, measured_);
  const bool same = section->key.dtype == dtype && target_.name == measured_.name;
  origin = {Provenance::interpolated, section->points_left_out.all.median,
            describe(section->key, dtype)};
  if (section->key.dtype != dtype) {
    origin.provenance = Provenance::assumed;
    origin.error += kStandInError;
  }
  add_transfer(origin);
  const auto time = [&](double m, double) {
    const double measured = model.predict(m, n, k);
    return same ? measured
                : measured * roofline(section->roofline, m) / model.roofline(m, n, k);
  };
  return {tabulate(merge_knots(section->m, filler), {1.0}, time), origin};
}

GemmCurve::GemmCurve(std::shared_ptr<const LogGrid> grid, CurveOrigin origin)
    : grid_(std::move(grid)), origin_(std::move(origin)) {}

Seconds GemmCurve::time(double m) const {
  if (m <= 0) return Seconds{0};
  return Seconds{grid_->at(std::max(1.0, m))};
}

Estimate GemmCurve::estimate(double m) const {
  return {time(m), origin_.provenance, origin_.error};
}

}  // namespace moesim
