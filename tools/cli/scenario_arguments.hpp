// FILE [--set key=value]... [--seed N]: the arguments of every command that takes a scenario.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/scenario.hpp"

namespace CLI {
class App;
}

namespace moesim {

struct ScenarioArguments {
  std::string file;
  std::vector<std::string> set;
  std::optional<std::uint64_t> seed;
};

// `arguments` must live until the command line is parsed.
void add_scenario_arguments(CLI::App& app, ScenarioArguments& arguments);

// Reads and validates; warnings go to stderr. Throws InputError.
Scenario load_scenario(const ScenarioArguments& arguments);

}  // namespace moesim
