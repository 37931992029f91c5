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

// The same without what lies above `last`: beyond it nothing may be asked, let alone pooled.
inline std::vector<double> half_octaves_within(double first, double last) {
  std::vector<double> values = half_octaves(first, last);
  std::erase_if(values, [&](double value) { return value > last; });
  return values;
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

// The non-decreasing sequence nearest to the logarithms of `values` (pool adjacent violators,
// Ayer et al. 1955), strided: what measurement noise and neighbours' corrections make fall
// although the work grows is levelled out, without bias.
inline void make_nondecreasing(std::vector<double>& values, std::size_t first,
                               std::size_t stride, std::size_t count) {
  struct Block {
    double mean;
    std::size_t size;
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    blocks.push_back({std::log(values[first + i * stride]), 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean > blocks.back().mean) {
      const Block last = blocks.back();
      blocks.pop_back();
      Block& before = blocks.back();
      const auto total = static_cast<double>(before.size + last.size);
      before.mean = (before.mean * static_cast<double>(before.size) +
                     last.mean * static_cast<double>(last.size)) /
                    total;
      before.size += last.size;
    }
  }
  std::size_t at = 0;
  for (const Block& block : blocks) {
    for (std::size_t i = 0; i < block.size; ++i) {
      values[first + at++ * stride] = std::exp(block.mean);
    }
  }
}

// nondecreasing: in x and in y. Pooling keeps the order of sequences (where one lies below
// another it still does), so levelling along x does not undo what was levelled along y.
enum class Shape { any, nondecreasing };

template <class F>
std::shared_ptr<const LogGrid> tabulate(const std::vector<double>& x,
                                        const std::vector<double>& y, F&& f,
                                        Shape shape = Shape::any,
                                        Beyond beyond = Beyond::extend) {
  std::vector<double> values;
  values.reserve(x.size() * y.size());
  for (const double a : x) {
    for (const double b : y) values.push_back(f(a, b));
  }
  if (shape == Shape::nondecreasing) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      make_nondecreasing(values, i * y.size(), 1, y.size());
    }
    for (std::size_t j = 0; j < y.size(); ++j) {
      make_nondecreasing(values, j, y.size(), x.size());
    }
  }
  return std::make_shared<LogGrid>(LogAxis(x), LogAxis(y), values, beyond);
}

}  // namespace moesim
