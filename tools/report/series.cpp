#include "tools/report/series.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Adds up what is there of a group of cells.
class Joined {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    max_ = count_ == 0 ? value : std::max(max_, value);
    ++count_;
  }
  [[nodiscard]] double as(Join join) const {
    if (count_ == 0) return kNone;
    if (join == Join::max) return max_;
    return join == Join::sum ? sum_ : sum_ / static_cast<double>(count_);
  }

 private:
  double sum_ = 0;
  double max_ = 0;
  std::size_t count_ = 0;
};

std::size_t group_size(std::size_t cells, std::size_t most) {
  MOESIM_LAW(most > 0, "a chart has at least one cell");
  return std::max<std::size_t>(1, (cells + most - 1) / most);
}

GridAxis bin_axis(const GridAxis& axis, std::size_t group) {
  GridAxis out{axis.name,
               axis.unit,
               (axis.size + group - 1) / group,
               axis.start,
               axis.step * static_cast<double>(group),
               {}};
  for (std::size_t i = 0; i < axis.labels.size(); i += group) {
    out.labels.push_back(axis.labels[i]);
  }
  return out;
}

}  // namespace

Grid bin_grid(const Grid& grid, std::size_t rows, std::size_t columns, Join join) {
  const std::size_t high = group_size(grid.rows.size, rows);
  const std::size_t wide = group_size(grid.columns.size, columns);
  if (high == 1 && wide == 1) return grid;
  Grid out{bin_axis(grid.rows, high), bin_axis(grid.columns, wide), grid.value, grid.unit, {}};
  out.values.reserve(out.rows.size * out.columns.size);
  for (std::size_t r = 0; r < grid.rows.size; r += high) {
    for (std::size_t c = 0; c < grid.columns.size; c += wide) {
      Joined cell;
      for (std::size_t i = r; i < std::min(r + high, grid.rows.size); ++i) {
        for (std::size_t j = c; j < std::min(c + wide, grid.columns.size); ++j) {
          cell.add(grid.at(i, j));
        }
      }
      out.values.push_back(cell.as(join));
    }
  }
  return out;
}

Track bin_track(const Track& track, std::size_t points) {
  const std::size_t group = group_size(track.values.size(), points);
  if (group == 1) return track;
  Track out = track;
  out.bin *= static_cast<double>(group);
  out.values.clear();
  for (std::size_t i = 0; i < track.values.size(); i += group) {
    Joined sample;
    for (std::size_t j = i; j < std::min(i + group, track.values.size()); ++j) {
      sample.add(track.values[j]);
    }
    out.values.push_back(sample.as(Join::mean));
  }
  return out;
}

Cdf cdf_of(std::string_view name, std::vector<double> values, std::size_t points) {
  Cdf out;
  out.name = name;
  std::erase_if(values, [](double v) { return std::isnan(v); });
  if (values.empty()) return out;
  std::sort(values.begin(), values.end());
  MOESIM_LAW(points >= 8, "a distribution has at least eight points");
  // Half of the points below .9, evenly; the others even in log10(1 - level) to .9999, then 1.
  const std::size_t half = points / 2;
  for (std::size_t i = 0; i < points; ++i) {
    double level = 0.9 * static_cast<double>(i) / static_cast<double>(half);
    if (i >= half) {
      const double part =
          static_cast<double>(i - half) / static_cast<double>(points - half - 2);
      level = i + 1 == points ? 1 : 1 - std::pow(10, -1 - 3 * part);
    }
    const double at = level * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    const double part = at - static_cast<double>(below);
    out.levels.push_back(level);
    out.values.push_back(values[below] + part * (values[above] - values[below]));
  }
  return out;
}

}  // namespace moesim
