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
#include "tools/report/table.hpp"
#include "tools/walk/dense.hpp"
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
  std::string dense;  // empty: no comparison
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

// The same load on a dense model; a run has one SimGrid engine, so this one is analytic.
std::string run_dense(const std::string& which, const Scenario& scenario, Result& result) {
  Walk walk(dense_counterpart(scenario, which), analytic_engine());
  walk.run([](double, Seconds) { return !interrupted(); });
  const Result dense = walk.result(MOESIM_VERSION);
  result.utilization.dense_baseline = dense.utilization.achieved_flops;
  return compare_with_dense(result, dense);
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
  Result result = walk.result(MOESIM_VERSION);
  std::string beside;
  if (!arguments.dense.empty() && whole) beside = run_dense(arguments.dense, scenario, result);
  const Simulation& simulation = walk.simulation();
  write_results(folder, result, simulation.recorder(), &simulation.blame(),
                &simulation.timeline());
  write_report(folder, result, walk.series(), resolved_toml(scenario));
  print(render_as(arguments.format, result, color_of(stdout)));
  if (arguments.format == "table") print(beside);
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
  app.add_option("--dense", arguments.dense,
                 "Beside it a dense model: active or total (as many parameters), or a preset")
      ->type_name("MODEL");
  app.add_flag("--check-slo", arguments->check_slo, "Exit 3 when an SLO is missed");
  app.add_option("--format", arguments->format, "What stdout gets")
      ->check(CLI::IsMember({"table", "json", "csv", "markdown", "vllm"}))
      ->capture_default_str();
  return [arguments] { return run(*arguments); };
}

}  // namespace moesim
