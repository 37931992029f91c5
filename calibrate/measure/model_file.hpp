// The shapes that --model adds, from a model's TOML file (scenarios/models/).
#pragma once

#include <filesystem>
#include <string>

#include "calibrate/measure/plan.hpp"

namespace moesim {

// A name ("deepseek-v3") in `models`, or the path of a .toml file. Throws InputError that names
// the file, the line and what is missing, or the nearest model there is.
MeasuredModel read_measured_model(const std::string& name_or_path,
                                  const std::filesystem::path& models);

}  // namespace moesim
