// Exact top-k routing of single tokens.
#pragma once

#include <span>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

// Chooses the top_k of log rate_e + Gumbel (equivalently: the first arrivals of exponential
// clocks with these rates), inside the best groups where the shape limits groups.
// Exact Plackett-Luce; O(experts) per token.
class TokenSampler {
 public:
  TokenSampler(const RouterShape& shape, std::span<const double> rates);

  // Writes top_k different experts, best first.
  void draw(Stream& stream, std::span<int> chosen);

 private:
  void keep_best_groups();

  RouterShape shape_;
  std::vector<double> rates_;
  std::vector<double> arrival_;
  std::vector<int> order_;
  std::vector<double> group_time_;
  std::vector<int> group_order_;
};

}  // namespace moesim
