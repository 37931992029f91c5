// Files are complete or absent: written beside their place, then renamed into it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace moesim {

// Throws WorldError with the path and the system's reason.
void write_file(const std::filesystem::path& path, std::string_view content);
std::string read_file(const std::filesystem::path& path);

// The folder that holds scenarios/ and calibrate/profiles/: $MOESIM_DATA, else beside the
// program (install tree or build tree), else the source tree it was built from.
std::filesystem::path data_folder();

}  // namespace moesim
