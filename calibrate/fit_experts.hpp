// Expert sections of a profile from table rows.
#pragma once

#include <string>
#include <vector>

#include "calibrate/expert_points.hpp"
#include "calibrate/tuned_blocks.hpp"

namespace moesim {

// Rows grouped by (kernel, dtype, gated) into fitted sections: six parameters, the correction
// that shapes make to each other, the skew term, errors with whole model shapes left out and
// with single points left out. Rows must be usable and possible.
std::vector<ExpertSection> fit_expert_sections(const std::vector<ExpertRow>& rows,
                                               const std::vector<TunedBlocks>& tuned,
                                               const Device& device);

}  // namespace moesim
