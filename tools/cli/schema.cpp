// moesim schema
#include <CLI/CLI.hpp>

#include "sim/scenario/reference.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

Action declare_schema(CLI::App&) {
  return [] {
    print(json_schema());
    return kDone;
  };
}

}  // namespace moesim
