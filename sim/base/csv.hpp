// Comma-separated values as RFC 4180 has them: cells with commas, quotes or line ends are
// quoted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moesim {

// The cells of one line, quotes removed.
std::vector<std::string> split_csv(std::string_view line);

// One cell, quoted where it must be.
std::string csv_cell(std::string_view text);

}  // namespace moesim
