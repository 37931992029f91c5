// moesim sweep FILE --vary key=a,b -o STORE
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "sim/base/errors.hpp"
#include "sim/scenario/validate.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/status_line.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/cli/walk_job.hpp"
#include "tools/fleet/archive.hpp"
#include "tools/fleet/figures.hpp"
#include "tools/fleet/store.hpp"
#include "tools/fleet/variants.hpp"
#include "tools/report/table.hpp"

namespace moesim {

namespace {

namespace fs = std::filesystem;

struct SweepArguments {
  ScenarioArguments scenario;
  std::vector<std::string> vary;
  int jobs = default_jobs();
  std::string shard = "1/1";
  bool resume = false;
  std::string store;
};

struct Shard {
  int number = 1;
  int of = 1;
};

Shard parse_shard(const std::string& text) {
  Shard shard;
  const std::size_t slash = text.find('/');
  try {
    std::size_t used = 0;
    shard.number = std::stoi(text.substr(0, slash), &used);
    if (slash != std::string::npos && used == slash) {
      shard.of = std::stoi(text.substr(slash + 1), &used);
      if (used == text.size() - slash - 1 && shard.number >= 1 && shard.number <= shard.of) {
        return shard;
      }
    }
  } catch (const std::logic_error&) {  // no number, or too large a one
  }
  throw InputError(fmt::format("--shard '{}' is no part of a sweep", text),
                   "I/N with I from 1 to N: 2/8 is the second of eight parts");
}

// One point of the grid, before its run.
struct Point {
  StoredRun run;
  Scenario scenario;
  bool valid = false;
};

Point read_point(const SweepArguments& arguments, const Variant& variant,
                 Diagnostics& diagnostics) {
  std::vector<std::string> overrides = arguments.scenario.set;
  if (arguments.scenario.seed) {
    overrides.push_back(fmt::format("seed={}", *arguments.scenario.seed));
  }
  overrides.insert(overrides.end(), variant.settings.begin(), variant.settings.end());
  Point point;
  point.scenario = read_scenario(arguments.scenario.file, overrides, diagnostics);
  // The grid is no part of its points: what has been run stays so when the grid grows.
  point.scenario.sweep = {};
  if (!diagnostics.has_errors()) validate(point.scenario, diagnostics);
  point.valid = !diagnostics.has_errors();
  StoredRun& run = point.run;
  run.position = variant.position;
  run.settings = variant.values;
  run.version = MOESIM_VERSION;
  run.figures.assign(figure_catalog().size(), std::numeric_limits<double>::quiet_NaN());
  if (point.valid) {
    run.resolved = resolved_toml(point.scenario);
    run.hash = scenario_hash(run.resolved, run.version);
    return point;
  }
  for (const Diagnostic& d : diagnostics.all()) {
    if (d.severity == Severity::error && run.error.empty()) run.error = d.message;
  }
  return point;
}

// The points of this shard. When not one point of the grid is valid, it is the scenario or a
// key that is wrong: throws InputError.
std::vector<Point> read_points(const SweepArguments& arguments,
                               const std::vector<Variant>& variants, Shard shard) {
  std::vector<Point> points;
  bool any_valid = false;
  std::optional<Diagnostics> first;
  for (const Variant& variant : variants) {
    const bool own = variant.position % shard.of == shard.number - 1;
    if (!own && any_valid) continue;
    Diagnostics diagnostics;
    Point point = read_point(arguments, variant, diagnostics);
    if (!first) first = diagnostics;
    any_valid = any_valid || point.valid;
    if (own) points.push_back(std::move(point));
  }
  if (!any_valid && first) first->throw_if_errors();
  return points;
}

fs::path store_path(const SweepArguments& arguments, const std::string& scenario) {
  if (!arguments.store.empty()) return arguments.store;
  return fs::path("runs") / (scenario + ".sqlite");
}

// Of --vary, else of the scenario's [sweep].
std::vector<Axis> axes_of(const SweepArguments& arguments) {
  if (!arguments.vary.empty()) return parse_axes(arguments.vary);
  Diagnostics diagnostics;
  const Scenario scenario =
      read_scenario(arguments.scenario.file, arguments.scenario.set, diagnostics);
  if (scenario.sweep.vary.empty()) {
    diagnostics.throw_if_errors();
    throw InputError("there is nothing to vary",
                     "--vary KEY=A,B,C, or [sweep] vary = [\"KEY=A,B,C\"] in the scenario");
  }
  try {
    return parse_axes(scenario.sweep.vary, "sweep.vary");
  } catch (const InputError& error) {
    Diagnostics placed;
    for (const Diagnostic& d : error.diagnostics()) {
      placed.error(scenario.places.of("sweep.vary"), d.message, d.expected, d.hint);
    }
    placed.throw_if_errors();
    throw;
  }
}

// What a run sends back; nothing when it was stopped.
std::string run_point(const Scenario& scenario, const JobLink& link) {
  const Result result = walk_scenario(scenario, link);
  std::vector<double> figures;
  if (!result.partial) figures = figures_of(result);
  bool slo_met = result.summary.slo_met();
  Archive out;
  out(figures, slo_met);
  return out.bytes();
}

struct Tally {
  int done = 0;
  int failed = 0;
};

void store_outcome(SweepStore& store, StoredRun run, const JobOutcome& outcome, Tally& tally) {
  if (outcome.done()) {
    Archive in(outcome.data);
    std::vector<double> figures;
    in(figures, run.slo_met);
    if (figures.empty()) return;  // it was stopped
    run.figures = figures;
    run.done = true;
  } else {
    run.slo_met = false;
    run.error =
        outcome.diagnostics.empty() ? outcome.error : outcome.diagnostics.front().message;
  }
  store.put(run);
  (run.done ? tally.done : tally.failed) += 1;
}

// Takes out the points that the store has, puts those that cannot be run into it as failed, and
// leaves what is to be run. Returns how many were there.
int settle_points(std::vector<Point>& points, SweepStore& store, Tally& tally) {
  std::map<int, std::string> finished;
  for (auto& [position, hash] : store.finished()) finished[position] = hash;
  const int before = static_cast<int>(std::erase_if(points, [&](const Point& point) {
    const auto found = finished.find(point.run.position);
    return found != finished.end() && found->second == point.run.hash;
  }));
  for (Point& point : points) {
    if (point.valid) continue;
    point.run.slo_met = false;
    store.put(point.run);
    ++tally.failed;
  }
  std::erase_if(points, [](const Point& point) { return !point.valid; });
  return before;
}

int sweep(const SweepArguments& arguments) {
  const Shard shard = parse_shard(arguments.shard);
  const std::vector<Axis> axes = axes_of(arguments);
  const std::vector<Variant> variants = all_variants(axes);
  std::vector<Point> points = read_points(arguments, variants, shard);
  if (points.empty()) {
    say(fmt::format("Shard {} of {} has nothing to do: there are {} runs\n", shard.number,
                    shard.of, variants.size()));
    return kDone;
  }
  std::string name = points.front().scenario.name;
  std::ranges::replace(name, '/', '-');
  const fs::path path = store_path(arguments, name);
  if (fs::exists(path) && !arguments.resume) {
    throw InputError(fmt::format("{} is there already", path.string()),
                     "--resume to go on with it, or another -o");
  }
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  std::vector<std::string> keys;
  for (const Axis& axis : axes) keys.push_back(axis.key);
  SweepStore store(path, points.front().scenario.name, keys);

  Tally tally;
  const int before = settle_points(points, store, tally);
  const int count = static_cast<int>(points.size());
  StatusLine status("sweeping");
  watch_for_interrupts();
  const bool whole = run_jobs(
      count, arguments.jobs,
      [&](int i, const JobLink& link) {
        return run_point(points[static_cast<std::size_t>(i)].scenario, link);
      },
      [&](int i, const JobOutcome& outcome) {
        store_outcome(store, points[static_cast<std::size_t>(i)].run, outcome, tally);
      },
      [&](double share) {
        status.show(share,
                    fmt::format("{} of {} runs, {} failed", tally.done, count, tally.failed));
        return !interrupted();
      });
  status.clear();
  say(fmt::format("{} runs done{}{} in {}\n", tally.done,
                  before > 0 ? fmt::format(", {} were there", before) : "",
                  tally.failed > 0 ? fmt::format(", {} failed", tally.failed) : "",
                  path.string()));
  print(path.string() + "\n");
  if (!whole) throw Interrupted{};
  // Other shards may have what this one has not: a job array should not stop for it.
  return tally.done + before > 0 || shard.of > 1 ? kDone : kFailed;
}

}  // namespace

Action declare_sweep(CLI::App& app) {
  auto arguments = std::make_shared<SweepArguments>();
  add_scenario_arguments(app, arguments->scenario);
  app.add_option("--vary", arguments->vary,
                 "A key and its values, KEY=A,B,C or KEY=FROM:TO:STEP; repeatable: the grid of "
                 "all combinations is run. Without it, what [sweep] in FILE says")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUES");
  add_jobs_option(app, arguments->jobs);
  app.add_option("--shard", arguments->shard,
                 "Only every N-th run, from the I-th: parts for a job array")
      ->capture_default_str()
      ->type_name("I/N");
  app.add_flag("--resume", arguments->resume,
               "Go on with a store: runs that are done there are not made again");
  app.add_option("-o,--out", arguments->store, "The store; runs/<name>.sqlite if not given")
      ->type_name("STORE");
  return [arguments] { return sweep(*arguments); };
}

}  // namespace moesim
