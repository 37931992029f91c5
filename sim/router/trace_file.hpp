// What a file of routing holds, by its name: NAME.csv is a load trace or a fitted router,
// NAME.jsonl a token trace; each may end in .gz.
#pragma once

#include <string_view>

namespace moesim {

// Whether `skew` is the path of such a file, not the name of a preset or a number.
bool names_a_file(std::string_view skew);

bool holds_tokens(std::string_view path);

}  // namespace moesim
