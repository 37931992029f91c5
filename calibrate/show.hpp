// What a profile knows and how wrong it is, as text for people.
#pragma once

#include <string>

#include "calibrate/profile.hpp"

namespace moesim {

// Keys, notes, and one line per section: kernel, format, points, held-out median, p90 and bias,
// medians of small, middle and large batches.
std::string show_profile(const Profile& profile);

// One line per expert, GEMM and attention section: for the table of all profiles.
std::string show_errors(const std::string& name, const Profile& profile);
std::string errors_heading();

}  // namespace moesim
