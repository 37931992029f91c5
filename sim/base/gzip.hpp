// Text files that may be compressed.
#pragma once

#include <filesystem>
#include <string>

namespace moesim {

// The content of a plain or gzip file, told apart by their first bytes. Throws WorldError where
// it cannot be read, InputError where the compressed data are damaged or cut off.
std::string read_text(const std::filesystem::path& path);

}  // namespace moesim
