// moesim run FILE
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

namespace fs = std::filesystem;

struct RunArguments {
  ScenarioArguments scenario;
  std::string out;
  int replications = 1;
  bool check_slo = false;
  std::string format = "table";
};

fs::path result_folder(const RunArguments& arguments, const Scenario& scenario) {
  if (!arguments.out.empty()) return arguments.out;
  std::string name = scenario.name;
  for (char& c : name) {
    if (c == '/' || c == ' ' || static_cast<unsigned char>(c) < 0x20) c = '-';
  }
  if (name.empty() || name.starts_with('.')) name = "scenario";
  return fs::path("runs") / name;
}

int run(const RunArguments& arguments) {
  const Scenario scenario = load_scenario(arguments.scenario);
  const fs::path folder = result_folder(arguments, scenario);
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) throw WorldError("cannot make " + folder.string() + ": " + problem.message());
  write_file(folder / "resolved.toml", resolved_toml(scenario));
  say("The scenario is sound; its values in effect are in " +
      (folder / "resolved.toml").string() + "\n");
  return kDone;
}

}  // namespace

Action declare_run(CLI::App& app) {
  auto arguments = std::make_shared<RunArguments>();
  add_scenario_arguments(app, arguments->scenario);
  app.add_option("-o,--out", arguments->out, "Folder of the results; runs/<name> if not given")
      ->type_name("DIR");
  app.add_option("--replications", arguments->replications,
                 "Runs with other seeds, for intervals")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->type_name("N");
  app.add_flag("--check-slo", arguments->check_slo, "Exit 3 when an SLO is missed");
  app.add_option("--format", arguments->format, "What stdout gets")
      ->check(CLI::IsMember({"table", "json", "csv", "markdown", "vllm"}))
      ->capture_default_str();
  return [arguments] { return run(*arguments); };
}

}  // namespace moesim
