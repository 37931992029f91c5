// stdout is data, stderr is talk.
#pragma once

#include <cstdio>
#include <string_view>

#include "sim/base/diagnostics.hpp"

namespace moesim {

// To stdout, at once; throws WorldError if it cannot be written (a full disk).
void print(std::string_view text);

// To stderr.
void say(std::string_view text);

bool is_terminal(std::FILE* stream);

// Colour on a terminal only, and never under NO_COLOR (https://no-color.org) or TERM=dumb.
Color color_of(std::FILE* stream);

}  // namespace moesim
