// moesim run FILE
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/engine.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/status_line.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/report/csv_files.hpp"
#include "tools/report/html.hpp"
#include "tools/report/sparkline.hpp"
#include "tools/report/table.hpp"
#include "tools/walk/walk.hpp"

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

// Made, and tried for writing, before hours of simulation.
void prepare_folder(const fs::path& folder, const Scenario& scenario) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) throw WorldError("cannot make " + folder.string() + ": " + problem.message());
  write_file(folder / "resolved.toml", resolved_toml(scenario));
}

int run(const RunArguments& arguments) {
  const Scenario scenario = load_scenario(arguments.scenario);
  const fs::path folder = result_folder(arguments, scenario);
  Walk walk(scenario, simgrid_engine());
  prepare_folder(folder, scenario);
  StatusLine status("simulating " + scenario.name);
  watch_for_interrupts();
  const bool whole = walk.run([&](double share, Seconds now) {
    status.show(share, now);
    return !interrupted();
  });
  status.clear();
  const Result result = walk.result(MOESIM_VERSION);
  const Simulation& simulation = walk.simulation();
  write_results(folder, result, simulation.recorder(), &simulation.blame(),
                &simulation.timeline());
  const ReportSeries series = walk.series();
  write_report(folder, result, series, resolved_toml(scenario));
  print(render_as(arguments.format, result, color_of(stdout)));
  if (arguments.format == "table" && is_terminal(stdout)) print(key_sparklines(series));
  say(fmt::format("Results are in {}\n", folder.string()));
  if (!whole) throw Interrupted{};
  if (arguments.check_slo && !result.summary.slo_met()) return kSloMissed;
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
