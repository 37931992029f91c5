#include "calibrate/power_law.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace moesim {

UnevenLoad power_law_load(double tokens, double top_k, int experts, double alpha) {
  const double assignments = tokens * top_k;
  const bool many = assignments > experts;
  const double low = many ? 1 : 0.01, high = many ? std::max(1.001, 0.8 * tokens) : 2;
  const double power = 1 - alpha;
  const double from = std::pow(low, power), to = std::pow(high, power);
  std::vector<double> load(static_cast<std::size_t>(experts));
  double sum = 0;
  for (std::size_t e = 0; e < load.size(); ++e) {
    const double u = (static_cast<double>(e) + 0.5) / experts;
    load[e] = std::pow(from + (to - from) * u, 1 / power);
    sum += load[e];
  }
  UnevenLoad out;
  for (const double share : load) {
    const double rows = std::min(tokens, std::round(share / sum * assignments));
    out.active += rows >= 1 ? 1 : 0;
    out.most_loaded = std::max(out.most_loaded, rows);
  }
  out.active = std::clamp(out.active, std::min<double>(top_k, experts), assignments);
  out.most_loaded = std::max(out.most_loaded, assignments / out.active);
  return out;
}

}  // namespace moesim
