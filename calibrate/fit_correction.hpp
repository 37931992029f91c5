// What an expert section says about shapes that it does not hold: its roofline, the correction
// to it, and their error on whole model shapes left out.
#pragma once

#include <tuple>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"

namespace moesim {

using ModelShape = std::tuple<int, int, int, int>;  // hidden, whole width, experts, top_k

int count_model_shapes(const ExpertSection& section);

// The six parameters, without the model shapes that lie far off the others.
Roofline fit_expert_roofline(const ExpertSection& section, const Device& device);

// Sets the section's metric, its curves' weights and `shapes_left_out`: each model shape (of a
// single model: each expert parallelism) is predicted by a roofline and a correction that were
// fitted without it. Fewer than three of them: does nothing.
void fit_correction(ExpertSection& section, const Device& device);

}  // namespace moesim
