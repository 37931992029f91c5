// Counters that only grow (seconds of work, bytes sent), seen over simulated time in bounded
// memory: their values at evenly spaced instants, at most kBins intervals; when the run
// outgrows them every other instant is forgotten. What a counter grew by between two instants
// is exact where a step ends on them, and evenly shared inside a step.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

class CounterHistory {
 public:
  static constexpr std::size_t kBins = 180;  // what a chart shows

  explicit CounterHistory(std::size_t counters, Seconds first_bin = Seconds{0.01});

  // The counters at `end`; until `begin` they stood still since the last call, from there on
  // they grew evenly. Intervals do not go backwards.
  void see(Seconds begin, Seconds end, std::span<const double> counters);

  [[nodiscard]] std::size_t counters() const { return last_.size(); }
  [[nodiscard]] Seconds bin_width() const { return Seconds{width_}; }
  // Intervals to the last call's end; the last one may be shorter.
  [[nodiscard]] std::size_t bins() const;
  [[nodiscard]] Seconds end() const { return Seconds{end_}; }
  // A counter's value at `when`, linear between the instants kept.
  [[nodiscard]] double at(std::size_t counter, Seconds when) const;

 private:
  void keep(double begin, double end, std::span<const double> counters);
  void widen();

  double width_;
  double end_ = 0;
  std::size_t kept_ = 0;       // instants: width, 2 width, ... kept_ * width
  std::vector<double> last_;   // [counters] at end_
  std::vector<double> marks_;  // [kBins][counters]
};

}  // namespace moesim
