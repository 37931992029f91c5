// Preset files: scenarios/models/NAME.toml and scenarios/systems/NAME.toml.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/tree.hpp"

namespace moesim {

// Names of the files in scenarios/FOLDER of the data folder, sorted; none if it is missing.
std::vector<std::string> preset_names(std::string_view folder);

// Lays `section` over the preset that its key `preset` names, if it has one. A text that ends
// in ".toml" is the path of a file, relative to `beside`. `kind` is the folder: "models".
// Of the preset, only the keys in `keep` are taken where `keep` is not empty. False if there
// was a preset to apply and it could not be.
bool apply_preset(Node& section, std::string_view kind, const std::filesystem::path& beside,
                  const std::vector<std::string>& keep, Diagnostics& diagnostics);

// The tree of one file; what is wrong with it or with reading it is told at `asked`.
Node read_tree(const std::filesystem::path& path, const Span& asked, Diagnostics& diagnostics);

}  // namespace moesim
