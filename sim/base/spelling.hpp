// "Did you mean": the nearest known name to a misspelt one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

// Damerau-Levenshtein distance (insert, delete, replace, swap of neighbours), ignoring case.
int edit_distance(std::string_view a, std::string_view b);

// "did you mean 'eplb'?", or "" where nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace moesim
