// moesim run FILE
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/engine.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/status_line.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/cli/walk_job.hpp"
#include "tools/fleet/jobs.hpp"
#include "tools/fleet/pool.hpp"
#include "tools/fleet/result_archive.hpp"
#include "tools/report/csv_files.hpp"
#include "tools/report/html.hpp"
#include "tools/report/result_json.hpp"
#include "tools/report/sparkline.hpp"
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
  int jobs = default_jobs();
  bool check_slo = false;
  std::string format = "table";
  std::string trace_window;
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

// What is printed of a run; several replications have no one course over time.
struct Ran {
  Result result;
  std::string sparklines;
  std::string beside;  // the comparison with a dense model
};

// The same load on a dense model; a run has one SimGrid engine, so this one is analytic.
std::string run_dense(const std::string& which, const Scenario& scenario, Result& result) {
  Walk walk(dense_counterpart(scenario, which), analytic_engine());
  walk.run([](double, Seconds) { return !interrupted(); });
  const Result dense = walk.result(MOESIM_VERSION);
  result.utilization.dense_baseline = dense.utilization.achieved_flops;
  return compare_with_dense(result, dense);
}

// Simulates and writes the whole folder; a run that `progress` ends is partial.
Ran run_into(const fs::path& folder, const Scenario& scenario, const TraceWindow& window,
             const Progress& progress, const std::string& dense = {}) {
  Walk walk(scenario, simgrid_engine());
  prepare_folder(folder, scenario);
  walk.trace_steps(window);
  walk.run(progress);
  Result result = walk.result(MOESIM_VERSION);
  std::string beside;
  if (!dense.empty() && !result.partial) beside = run_dense(dense, scenario, result);
  write_results(folder, result, walk.recorder(), walk.blame(), &walk.timeline());
  const ReportSeries series = walk.series();
  write_report(folder, result, series, resolved_toml(scenario));
  if (const StepTrace* trace = walk.trace()) {
    trace->write(folder / "trace.pftrace");
    if (const auto left_out = trace->steps_left_out(); left_out > 0) {
      say(
          fmt::format("trace.pftrace is full: {} later steps of its window are not in it; "
                      "--trace-window chooses others\n",
                      left_out));
    }
  }
  return {std::move(result), key_sparklines(series), std::move(beside)};
}

Ran run_once(const fs::path& folder, const Scenario& scenario, const TraceWindow& window,
             const std::string& dense) {
  StatusLine status("simulating " + scenario.name);
  watch_for_interrupts();
  return run_into(
      folder, scenario, window,
      [&](double share, Seconds now) {
        status.show(share, now);
        return !interrupted();
      },
      dense);
}

// Seeds seed .. seed + N - 1, a process each; the first one writes the folder, to which the
// pooled result is then added. Interrupted: of those that finished, else of all that began.
Result run_replications(const fs::path& folder, const Scenario& scenario,
                        const RunArguments& arguments, const TraceWindow& window) {
  const int count = arguments.replications;
  std::vector<std::optional<Result>> ended(static_cast<std::size_t>(count));
  const Job job = [&](int i, const JobLink& link) {
    Scenario one = scenario;
    one.seed += static_cast<std::uint64_t>(i);
    if (i > 0) return to_bytes(walk_scenario(one, link));
    return to_bytes(run_into(folder, one, window, progress_of(link)).result);
  };
  StatusLine status("simulating " + scenario.name);
  watch_for_interrupts();
  prepare_folder(folder, scenario);
  int whole = 0;
  run_jobs(
      count, arguments.jobs, job,
      [&](int i, const JobOutcome& outcome) {
        if (!outcome.done()) outcome.rethrow();
        ended[static_cast<std::size_t>(i)] = result_from_bytes(outcome.data);
        whole += ended[static_cast<std::size_t>(i)]->partial ? 0 : 1;
      },
      [&](double share) {
        status.show(share, fmt::format("{} of {} replications", whole, count));
        return !interrupted();
      });
  status.clear();
  std::vector<Result> runs;
  for (const auto& result : ended) {
    if (result && (whole == 0 || !result->partial)) runs.push_back(*result);
  }
  if (runs.empty()) throw Interrupted{};  // before the first one began
  Result pooled = pool_results(runs, scenario.slo);
  pooled.partial = whole < count;
  write_file(folder / "result.json", to_json(pooled));
  write_file(folder / "report.html", report_html(read_report(folder)));
  return pooled;
}

int run(const RunArguments& arguments) {
  const Scenario scenario = load_scenario(arguments.scenario);
  const fs::path folder = result_folder(arguments, scenario);
  if (scenario.serving.mode == ServingMode::training && !arguments.dense.empty()) {
    throw InputError("--dense compares what serves, but the scenario trains",
                     "the dense model as model.preset, in a run of its own");
  }
  const TraceWindow window = arguments.trace_window.empty()
                                 ? TraceWindow{}
                                 : parse_trace_window(arguments.trace_window);
  const Ran ran = arguments.replications > 1
                      ? Ran{run_replications(folder, scenario, arguments, window), {}, {}}
                      : run_once(folder, scenario, window, arguments.dense);
  const Result& result = ran.result;
  print(render_as(arguments.format, result, color_of(stdout)));
  if (arguments.format == "table") print(ran.beside);
  if (arguments.format == "table" && is_terminal(stdout)) print(ran.sparklines);
  say(fmt::format("Results are in {}\n", folder.string()));
  if (result.partial) throw Interrupted{};
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
                 "Runs with this seed and the next ones, for intervals")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->type_name("N");
  add_jobs_option(app, arguments->jobs);
  app.add_option("--trace-window", arguments->trace_window,
                 "Simulated time that trace.pftrace shows, as 60s:61s; two seconds after the "
                 "warm-up if not given")
      ->type_name("FROM:UNTIL");
  app.add_option("--dense", arguments->dense,
                 "Beside it a dense model: active or total (as many parameters), or a preset")
      ->type_name("MODEL");
  app.add_flag("--check-slo", arguments->check_slo, "Exit 3 when an SLO is missed");
  app.add_option("--format", arguments->format, "What stdout gets")
      ->check(CLI::IsMember({"table", "json", "csv", "markdown", "vllm"}))
      ->capture_default_str();
  return [arguments] { return run(*arguments); };
}

}  // namespace moesim
