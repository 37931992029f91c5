// A positive function of two positive variables, known on a grid, interpolated linearly in the
// logarithms of all three: power laws are exact, and every kernel time is nearly one.
#pragma once

#include <span>
#include <vector>

namespace moesim {

// Knots in increasing order of log2; found through equal buckets, so a lookup does not search.
class LogAxis {
 public:
  LogAxis() = default;
  // `values` positive, increasing. One value: the axis is constant.
  explicit LogAxis(std::span<const double> values);

  struct Position {
    int low = 0;      // index of the knot below
    double part = 0;  // of the way to the next; outside [0, 1] beyond the ends
  };
  [[nodiscard]] Position locate(double log2_value) const;
  [[nodiscard]] int size() const { return static_cast<int>(knots_.size()); }
  [[nodiscard]] double first() const { return knots_.front(); }  // log2
  [[nodiscard]] double last() const { return knots_.back(); }    // log2
  [[nodiscard]] double knot(int i) const { return knots_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<double> knots_;    // log2
  std::vector<double> inverse_;  // 1 / distance to the next knot
  std::vector<short> bucket_;    // first candidate knot per bucket
  double scale_ = 0;             // buckets per unit of log2
};

enum class Beyond { extend, clamp };  // past the last knots: keep the slope, or the value

class LogGrid {
 public:
  // `values[i * y.size() + j]` positive, at x_i, y_j.
  LogGrid(LogAxis x, LogAxis y, std::span<const double> values, Beyond beyond = Beyond::extend);

  // The value at positive x, y. No allocation.
  [[nodiscard]] double at(double x, double y) const;
  [[nodiscard]] double at(double x) const { return at(x, 1.0); }
  // The same in logarithms, for products of several.
  [[nodiscard]] double log2_at(double log2_x, double log2_y) const;

  [[nodiscard]] const LogAxis& x() const { return x_; }
  [[nodiscard]] const LogAxis& y() const { return y_; }

 private:
  LogAxis x_;
  LogAxis y_;
  std::vector<float> log2_values_;
  bool clamp_ = false;
};

}  // namespace moesim
