// Ratios of expert times under wide expert parallelism, predicted and measured.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "calibrate/cost_model.hpp"
#include "calibrate/held_out.hpp"
#include "calibrate/profiles.hpp"

namespace moesim::tests {

struct Ratio {
  double tokens_per_rank, predicted, measured;
};

inline double median_error(const std::vector<Ratio>& ratios) {
  std::vector<double> errors;
  for (const Ratio& r : ratios) errors.push_back(std::abs(r.predicted / r.measured - 1));
  return quantile(std::move(errors), 0.5);
}

// Expert kernels by a shipped profile, one curve per parallelism.
class Curves {
 public:
  explicit Curves(const std::string& profile) : costs_(load_profile(profile)) {}

  double time(const ExpertShape& shape, const ExpertLoad& load) {
    const auto key = std::tuple{shape.hidden, shape.experts, shape.parallel};
    auto found = curves_.find(key);
    if (found == curves_.end()) found = curves_.emplace(key, costs_.experts(shape)).first;
    return found->second.time(load).value;
  }

 private:
  CostModel costs_;
  std::map<std::tuple<int, int, int>, ExpertCurve> curves_;
};

}  // namespace moesim::tests
