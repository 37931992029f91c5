// moesim list KIND: the tables of what can be named in a scenario.
#pragma once

#include <string>
#include <vector>

namespace moesim {

std::vector<std::string> list_kinds();

}  // namespace moesim
