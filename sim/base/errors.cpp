#include "sim/base/errors.hpp"

#include <fmt/format.h>

namespace moesim {

void throw_broken_law(std::string_view law, std::string_view condition, const char* file,
                      int line) {
  std::string_view path = file;
  if (const auto slash = path.rfind('/'); slash != std::string_view::npos) {
    path.remove_prefix(slash + 1);
  }
  throw BrokenLaw(fmt::format("broken law: {} ({}, {}:{})", law, condition, path, line));
}

}  // namespace moesim
