// Which of the timed expert kernels an engine's profile has.
#pragma once

#include <vector>

#include "calibrate/expert_points.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/tuned_blocks.hpp"

namespace moesim {

// Fits the sections of `profile.experts` from usable rows of any engine, and notes what was
// borrowed: another engine's kernels where the profile's own has no even loads; for
// TensorRT-LLM also its generated kernels, which another's table times.
void fit_expert_kernels(const std::vector<ExpertRow>& rows,
                        const std::vector<TunedBlocks>& tuned, const Device& device,
                        Profile& profile);

}  // namespace moesim
