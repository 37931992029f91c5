#include "calibrate/log_grid.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

LogAxis::LogAxis(std::span<const double> values) {
  MOESIM_LAW(!values.empty(), "an axis has at least one knot");
  double narrowest = 1;
  for (const double value : values) {
    MOESIM_LAW(value > 0, "knots of a logarithmic axis are positive");
    const double knot = std::log2(value);
    if (!knots_.empty()) {
      MOESIM_LAW(knot > knots_.back(), "knots increase");
      inverse_.push_back(1 / (knot - knots_.back()));
      narrowest = std::min(narrowest, knot - knots_.back());
    }
    knots_.push_back(knot);
  }
  if (knots_.size() == 1) return;
  scale_ = std::min(1 / narrowest, 64.0);
  const auto buckets = static_cast<std::size_t>((last() - first()) * scale_) + 2;
  std::size_t at = 0;
  for (std::size_t b = 0; b < buckets; ++b) {
    const double start = first() + static_cast<double>(b) / scale_;
    while (at + 2 < knots_.size() && knots_[at + 1] <= start) ++at;
    bucket_.push_back(static_cast<short>(at));
  }
}

LogAxis::Position LogAxis::locate(double log2_value) const {
  if (knots_.size() == 1) return {};
  const double offset = (log2_value - knots_.front()) * scale_;
  const double limit = static_cast<double>(bucket_.size() - 1);
  auto low = static_cast<std::size_t>(
      bucket_[static_cast<std::size_t>(std::clamp(offset, 0.0, limit))]);
  while (low + 2 < knots_.size() && knots_[low + 1] < log2_value) ++low;
  return {static_cast<int>(low), (log2_value - knots_[low]) * inverse_[low]};
}

LogGrid::LogGrid(LogAxis x, LogAxis y, std::span<const double> values, Beyond beyond)
    : x_(std::move(x)), y_(std::move(y)), clamp_(beyond == Beyond::clamp) {
  MOESIM_LAW(values.size() == static_cast<std::size_t>(x_.size()) * y_.size(),
             "a grid has one value per pair of knots");
  log2_values_.reserve(values.size());
  for (const double value : values) {
    MOESIM_LAW(value > 0 && std::isfinite(value), "values of a logarithmic grid are positive");
    log2_values_.push_back(static_cast<float>(std::log2(value)));
  }
}

double LogGrid::at(double x, double y) const {
  return std::exp2(log2_at(std::log2(x), y_.size() > 1 ? std::log2(y) : 0.0));
}

double LogGrid::log2_at(double log2_x, double log2_y) const {
  LogAxis::Position px = x_.locate(log2_x);
  LogAxis::Position py = y_.locate(log2_y);
  if (clamp_) {
    px.part = std::clamp(px.part, 0.0, 1.0);
    py.part = std::clamp(py.part, 0.0, 1.0);
  }
  const int width = y_.size();
  const float* row = log2_values_.data() + static_cast<std::ptrdiff_t>(px.low) * width + py.low;
  const auto along_y = [&](const float* r) {
    return width > 1 ? r[0] + py.part * (r[1] - r[0]) : static_cast<double>(r[0]);
  };
  double result = along_y(row);
  if (x_.size() > 1) result += px.part * (along_y(row + width) - result);
  return result;
}

}  // namespace moesim
