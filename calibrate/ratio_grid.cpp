#include "calibrate/ratio_grid.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::vector<double> logarithms(std::span<const double> values) {
  std::vector<double> out;
  for (const double value : values) out.push_back(std::log(value));
  return out;
}

struct Place {
  std::size_t low = 0;
  double part = 0;
};

Place locate(const std::vector<double>& axis, double value) {
  if (axis.size() == 1) return {};
  const auto above = std::upper_bound(axis.begin() + 1, axis.end() - 1, value);
  const auto low = static_cast<std::size_t>(above - axis.begin()) - 1;
  const double part = (value - axis[low]) / (axis[low + 1] - axis[low]);
  return {low, std::clamp(part, 0.0, 1.0)};
}

}  // namespace

RatioGrid::RatioGrid(std::span<const double> x, std::span<const double> y,
                     std::span<const double> z, std::vector<double> log_ratio)
    : x_(logarithms(x)), y_(logarithms(y)), z_(logarithms(z)), value_(std::move(log_ratio)) {
  MOESIM_LAW(value_.size() == x_.size() * y_.size() * z_.size(),
             "a grid has one value per node");
  fill();
}

void RatioGrid::fill() {
  const std::vector<double> measured = value_;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    for (std::size_t j = 0; j < y_.size(); ++j) {
      for (std::size_t k = 0; k < z_.size(); ++k) {
        if (!std::isnan(measured[index(i, j, k)])) continue;
        std::size_t best = SIZE_MAX;
        double value = 0;
        for (std::size_t a = 0; a < x_.size(); ++a) {
          for (std::size_t b = 0; b < y_.size(); ++b) {
            for (std::size_t c = 0; c < z_.size(); ++c) {
              if (std::isnan(measured[index(a, b, c)])) continue;
              const auto steps = [](std::size_t p, std::size_t q) {
                return p > q ? p - q : q - p;
              };
              const std::size_t distance = steps(a, i) + steps(b, j) + steps(c, k);
              if (distance < best) {
                best = distance;
                value = measured[index(a, b, c)];
              }
            }
          }
        }
        value_[index(i, j, k)] = value;
      }
    }
  }
}

double RatioGrid::at(double x, double y, double z) const {
  const std::array<Place, 3> place{locate(x_, std::log(x)), locate(y_, std::log(y)),
                                   locate(z_, std::log(z))};
  double sum = 0;
  for (unsigned corner = 0; corner < 8; ++corner) {
    double weight = 1;
    std::array<std::size_t, 3> at{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const bool high = ((corner >> axis) & 1U) != 0;
      weight *= high ? place[axis].part : 1 - place[axis].part;
      at[axis] = place[axis].low + (high ? 1 : 0);
    }
    if (weight > 0) sum += weight * value_[index(at[0], at[1], at[2])];
  }
  return sum;
}

}  // namespace moesim
