#include "tools/cli/scenario_arguments.hpp"

#include <CLI/CLI.hpp>

#include "sim/scenario/validate.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

void add_scenario_arguments(CLI::App& app, ScenarioArguments& arguments) {
  app.add_option("FILE", arguments.file, "The scenario (TOML)")->required();
  app.add_option("--set", arguments.set, "Another value for a key: --set key=value; repeatable")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  app.add_option("--seed", arguments.seed, "Another seed than the scenario's")->type_name("N");
}

Scenario load_scenario(const ScenarioArguments& arguments) {
  Diagnostics diagnostics;
  std::vector<std::string> overrides = arguments.set;
  if (arguments.seed) overrides.push_back("seed=" + std::to_string(*arguments.seed));
  Scenario scenario = read_scenario(arguments.file, overrides, diagnostics);
  if (!diagnostics.has_errors()) validate(scenario, diagnostics);
  diagnostics.throw_if_errors();
  for (const Diagnostic& d : diagnostics.all()) say(render(d, color_of(stderr)));
  return scenario;
}

}  // namespace moesim
