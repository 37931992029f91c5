// result.json: base units, keys in a stable order, the same bytes for the same result.
#pragma once

#include <string>

#include "tools/report/result.hpp"

namespace moesim {

std::string to_json(const Result& result);

}  // namespace moesim
