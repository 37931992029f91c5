// moesim compare FILE --vary key=a,b
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "tools/cli/command.hpp"
#include "tools/cli/scenario_arguments.hpp"
#include "tools/cli/status_line.hpp"
#include "tools/cli/terminal.hpp"
#include "tools/cli/walk_job.hpp"
#include "tools/fleet/archive.hpp"
#include "tools/fleet/comparison.hpp"
#include "tools/fleet/variants.hpp"

namespace moesim {

namespace {

struct CompareArguments {
  ScenarioArguments scenario;
  std::vector<std::string> vary;
  int replications = 5;
  int jobs = default_jobs();
  std::string format = "table";
};

// [variant * replications + replication] figures of the runs that finished.
using Finished = std::vector<std::optional<std::vector<double>>>;

// Common random numbers: replication r has the same seed in every variant.
Finished run_all(const std::vector<Scenario>& scenarios, const CompareArguments& arguments) {
  const int count = static_cast<int>(scenarios.size()) * arguments.replications;
  Finished finished(static_cast<std::size_t>(count));
  // Seed by seed, so that what is interrupted can be compared.
  const auto variants = static_cast<int>(scenarios.size());
  const Job job = [&](int i, const JobLink& link) {
    Scenario one = scenarios[static_cast<std::size_t>(i % variants)];
    one.seed += static_cast<std::uint64_t>(i / variants);
    const Result result = walk_scenario(one, link);
    std::vector<double> figures;
    if (!result.partial) figures = figures_of(result);
    Archive out;
    out(figures);
    return out.bytes();
  };
  StatusLine status("comparing");
  watch_for_interrupts();
  int ended = 0;
  run_jobs(
      count, arguments.jobs, job,
      [&](int i, const JobOutcome& outcome) {
        if (!outcome.done()) outcome.rethrow();
        Archive in(outcome.data);
        std::vector<double> figures;
        in(figures);
        if (!figures.empty()) finished[static_cast<std::size_t>(i)] = figures;
        ++ended;
      },
      [&](double share) {
        status.show(share, fmt::format("{} of {} runs", ended, count));
        return !interrupted();
      });
  return finished;
}

int compare_variants(const CompareArguments& arguments) {
  const std::vector<Axis> axes = parse_axes(arguments.vary);
  const std::vector<Variant> variants = all_variants(axes);
  Comparison comparison;
  std::vector<Scenario> scenarios;
  for (const Variant& variant : variants) {
    ScenarioArguments one = arguments.scenario;
    one.set.insert(one.set.end(), variant.settings.begin(), variant.settings.end());
    scenarios.push_back(load_scenario(one));
    comparison.labels.push_back(variant.label);
  }
  comparison.scenario = scenarios.front().name;
  for (const Axis& axis : axes) {
    comparison.keys += (comparison.keys.empty() ? "" : ", ") + axis.key;
  }
  const Finished finished = run_all(scenarios, arguments);
  std::vector<std::vector<std::vector<double>>> values(variants.size());
  for (std::size_t at = 0; at < finished.size(); at += variants.size()) {
    const auto row = finished.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = row + static_cast<std::ptrdiff_t>(variants.size());
    if (!std::all_of(row, end, [](const auto& f) { return f.has_value(); })) continue;
    for (std::size_t v = 0; v < variants.size(); ++v) values[v].push_back(*finished[at + v]);
    ++comparison.replications;
  }
  comparison.partial = comparison.replications < arguments.replications;
  if (comparison.replications > 0) {
    comparison.rows = compare(values);
    print(find_entry(comparison_formats(), arguments.format, "format").make(comparison));
  }
  if (comparison.partial) throw Interrupted{};
  return kDone;
}

}  // namespace

Action declare_compare(CLI::App& app) {
  auto arguments = std::make_shared<CompareArguments>();
  add_scenario_arguments(app, arguments->scenario);
  app.add_option("--vary", arguments->vary,
                 "The key and its values, KEY=A,B,C or KEY=FROM:TO:STEP; the first is what the "
                 "others are compared to; repeatable, then all combinations")
      ->required()
      ->allow_extra_args(false)
      ->type_name("KEY=VALUES");
  app.add_option("--replications", arguments->replications, "Seeds per variant")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str()
      ->type_name("N");
  add_jobs_option(app, arguments->jobs);
  app.add_option("--format", arguments->format, "What stdout gets")
      ->check(CLI::IsMember({"table", "json", "csv", "markdown"}))
      ->capture_default_str();
  return [arguments] { return compare_variants(*arguments); };
}

}  // namespace moesim
