// Runs a program with text on its stdin and takes its stdout; for the external strategy.
#pragma once

#include <string>
#include <string_view>

#include "sim/base/units.hpp"

namespace moesim {

// `command` is given to /bin/sh -c. Throws WorldError if it cannot be started, ends with
// another status than 0 (with the end of its stderr), or runs longer than `limit` (then it and
// its children are killed).
std::string run_program(const std::string& command, std::string_view input, Seconds limit);

}  // namespace moesim
