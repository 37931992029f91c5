// Turns a process of rate 1 into one whose rate follows a curve, exactly: the time change
// t = L^-1(n) with L(t) = integral of the rate (Cinlar 1975, "Introduction to Stochastic
// Processes", 4.7). The rate is piecewise linear, so L is piecewise quadratic and its inverse
// a formula.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/workload/options.hpp"

namespace moesim {

class RateClock {
 public:
  // rate x curve(t) x product of the surges active at t. `curve` is sorted by time, times >= 0.
  RateClock(PerSecond rate, std::span<const RatePoint> curve, Seconds period,
            std::vector<SurgeOptions> surges);

  // Moves forward until the rate has integrated to `events` more; returns that time, infinity
  // if the rate stays zero from some time on.
  Seconds after(double events);

 private:
  struct Piece {
    double end;
    double at_begin;  // rate at the piece's first and last instant
    double at_end;
  };
  Piece piece() const;
  double surge_factor(double t) const;
  void pass(double end);

  double rate_;
  std::vector<RatePoint> curve_;  // one period when periodic, else everything
  double period_;
  std::vector<SurgeOptions> surges_;
  std::vector<double> edges_;  // where surges begin and end, sorted
  double now_ = 0;
  double cycle_ = 0;       // begin of the current period
  std::size_t point_ = 0;  // first curve point not yet passed in this cycle
  std::size_t edge_ = 0;   // first surge edge not yet passed
};

}  // namespace moesim
