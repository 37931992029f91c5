// The .csv half of a profile: curves of the sections that its .toml half announces.
#pragma once

#include <cstdint>
#include <filesystem>

#include "calibrate/profile.hpp"
#include "sim/base/diagnostics.hpp"

namespace moesim {

// Adds the curves of `path` to the profile's sections; `announced`: lines that it must have.
// Faults are told with file and line. Throws WorldError where the file cannot be read.
void read_curves(const std::filesystem::path& path, std::int64_t announced, Profile& profile,
                 Diagnostics& wrong);

}  // namespace moesim
