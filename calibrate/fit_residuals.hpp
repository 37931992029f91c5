// Fits the correction of residuals.hpp to all points, and to all but one model shape each.
#pragma once

#include <functional>
#include <vector>

#include "calibrate/residuals.hpp"

namespace moesim {

// Points of all curves of a section. A fold is what is left out at a time.
struct ResidualPoints {
  std::vector<Features> at;
  std::vector<int> curve;
  std::vector<int> fold;
  std::vector<bool> judged;
  int folds = 0;
};

// Per point, of K^-1 y; 0 informs nothing.
using ResidualWeights = std::vector<double>;

// Residuals of all points against the roofline of all folds but one; -1: of all.
using ResidualsWithout = std::function<std::vector<double>(int fold)>;

// Element f is fitted without fold f, so nothing of it knows fold f; the last is fitted to all.
// Curves that their neighbours miss by half (median) ran by another tactic: they inform no
// other shape where that lowers the error of the folds that are not left out, each left out in
// turn, by a fifth.
std::vector<ResidualWeights> fit_residuals(const ResidualPoints& points,
                                           const ResidualsWithout& residuals);

}  // namespace moesim
