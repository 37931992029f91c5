// A Result as bytes, from the process that made it to the one that pools it.
#pragma once

#include <string>

#include "tools/report/result.hpp"

namespace moesim {

std::string to_bytes(Result result);
Result result_from_bytes(std::string bytes);

}  // namespace moesim
