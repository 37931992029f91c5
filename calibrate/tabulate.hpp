// From a slow model to the table that the simulator looks up.
#pragma once

#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include "calibrate/log_grid.hpp"

namespace moesim {

// first, first x sqrt(2), first x 2, ... up to at least `last`.
inline std::vector<double> half_octaves(double first, double last) {
  std::vector<double> values;
  for (int i = 0;; ++i) {
    values.push_back(first * std::exp2(0.5 * i));
    if (values.back() >= last) return values;
  }
}

// `wanted`, and of `filler` what lies further than a tenth from all of them.
inline std::vector<double> merge_knots(const std::vector<double>& wanted,
                                       const std::vector<double>& filler) {
  std::set<double> knots(wanted.begin(), wanted.end());
  for (const double value : filler) {
    const auto above = knots.lower_bound(value);
    const bool near_above = above != knots.end() && *above < value * 1.1;
    const bool near_below = above != knots.begin() && *std::prev(above) > value / 1.1;
    if (!near_above && !near_below) knots.insert(value);
  }
  return {knots.begin(), knots.end()};
}

template <class F>
std::shared_ptr<const LogGrid> tabulate(const std::vector<double>& x,
                                        const std::vector<double>& y, F&& f,
                                        Beyond beyond = Beyond::extend) {
  std::vector<double> values;
  values.reserve(x.size() * y.size());
  for (const double a : x) {
    for (const double b : y) values.push_back(f(a, b));
  }
  return std::make_shared<LogGrid>(LogAxis(x), LogAxis(y), values, beyond);
}

}  // namespace moesim
