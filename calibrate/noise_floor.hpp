// What no model of shapes can beat: the scatter of the measurements themselves.
#pragma once

#include "calibrate/devices.hpp"
#include "calibrate/held_out.hpp"
#include "calibrate/profile.hpp"

namespace moesim {

// From the roughness of the section's curves. r = log(seconds / roofline); at a point between
// its neighbours on the curve, with part a of the way to the later one in log tokens,
//   d = (r - (1 - a) r_before - a r_after) / sqrt(1 + (1 - a)^2 + a^2)
// has the variance of one point's noise if the truth is straight there (differencing of Rice,
// Annals of Statistics 12, 1984). Only where the three points run the same tiles (of 8 to 128
// rows), so that steps do not count as noise. Median and p90 of exp|d| - 1 and the points used;
// none of the whole where no three points agree. A lower bound: what differs between whole
// curves, as the choice of an autotuner, is not in it.
ErrorSummary noise_floor(const ExpertSection& section, const Device& device);

}  // namespace moesim
