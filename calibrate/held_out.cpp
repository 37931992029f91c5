#include "calibrate/held_out.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

ErrorSummary summarize(const std::vector<HeldOutPoint>& points, double above, double up_to) {
  std::vector<double> errors, signs;
  for (const HeldOutPoint& point : points) {
    if (point.size <= above || point.size > up_to) continue;
    const double error = point.predicted / point.measured - 1;
    errors.push_back(std::abs(error));
    signs.push_back(error);
  }
  return {quantile(errors, 0.5), quantile(errors, 0.9), quantile(signs, 0.5),
          static_cast<int>(errors.size())};
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

HeldOut summarize_held_out(std::string method, const std::vector<HeldOutPoint>& points) {
  return {std::move(method), summarize(points, -1, HUGE_VAL), summarize(points, -1, 32),
          summarize(points, 32, 1024), summarize(points, 1024, HUGE_VAL)};
}

}  // namespace moesim
