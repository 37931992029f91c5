// Measured over modelled, on a grid of up to three sizes: what a roofline leaves unexplained,
// interpolated linearly in the logarithms and kept constant beyond the ends. Where a corner was
// not measured the others stand in for it.
#pragma once

#include <span>
#include <vector>

namespace moesim {

class RatioGrid {
 public:
  // Axes positive and increasing, z may have a single value; `log_ratio[(i * y + j) * z + k]`,
  // NaN where not measured.
  RatioGrid(std::span<const double> x, std::span<const double> y, std::span<const double> z,
            std::vector<double> log_ratio);
  // exp of this is the ratio. 0 where nothing at all was measured.
  [[nodiscard]] double at(double x, double y, double z) const;

 private:
  // Gives every missing node its nearest measured neighbour's value, nearest in steps.
  void fill();
  [[nodiscard]] std::size_t index(std::size_t i, std::size_t j, std::size_t k) const {
    return (i * y_.size() + j) * z_.size() + k;
  }

  std::vector<double> x_, y_, z_;  // logarithms
  std::vector<double> value_;
};

}  // namespace moesim
