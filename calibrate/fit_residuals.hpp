// Fits the correction of residuals.hpp and measures its error on model shapes that it has not
// seen, each with a metric chosen without them.
#pragma once

#include <functional>
#include <string>
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

struct ResidualChoice {
  std::string metric;
  std::vector<double> weight;  // per point: of K^-1 y; 0 informs nothing
};

// Residuals of all points against the roofline of all folds but one; -1: of all.
using ResidualsWithout = std::function<std::vector<double>(int fold)>;

// Element f is fitted without fold f, its metric chosen by leaving the other folds out in turn
// (so nothing of it knows fold f); the last is fitted to all. Curves that their neighbours miss
// by a quarter (median) ran by another tactic: they inform no other shape where that lowers
// the error of the inner folds.
std::vector<ResidualChoice> fit_residuals(const ResidualPoints& points,
                                          const ResidualsWithout& residuals);

}  // namespace moesim
