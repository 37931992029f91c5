// Profiles as files: NAME.toml holds what a person reads (keys, parameters, errors, notes) and
// NAME.csv beside it the curves. Both are complete or absent.
#pragma once

#include <filesystem>

#include "calibrate/profile.hpp"

namespace moesim {

// Writes `path` (.toml) and the .csv beside it. Times keep four significant digits, so a
// profile that was read and is written again gives the same bytes. Throws WorldError.
void write_profile(const std::filesystem::path& path, const Profile& profile);

// Throws InputError with file and line for an unknown schema, an unknown GPU, a damaged or
// truncated file; WorldError where a file cannot be read.
Profile read_profile(const std::filesystem::path& path);

}  // namespace moesim
