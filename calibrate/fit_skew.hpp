// What uneven experts inside one GPU cost, from the tables' power-law rows.
#pragma once

#include <vector>

#include "calibrate/expert_points.hpp"

namespace moesim {

// Per octave-pair of tokens per expert: the median of time / time of an even load with the same
// assignments and active experts, at the median imbalance. Design rule: balanced tables alone
// underpredict skewed loads by 6-8 %.
std::vector<SkewPoint> fit_skew(const ExpertSection& section,
                                const std::vector<ExpertRow>& rows, const Device& device);

}  // namespace moesim
