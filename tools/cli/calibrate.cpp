// moesim calibrate: kernel profiles. Fitting, showing and importing; without a subcommand
// it measures this machine (measure.cpp).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "calibrate/fit.hpp"
#include "calibrate/import/import.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/profiles.hpp"
#include "calibrate/show.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/measure.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

struct FitArguments {
  std::vector<std::filesystem::path> tables;
  std::filesystem::path output;
  FitOptions options;
  bool measured = false;
};

int fit(const FitArguments& arguments) {
  FitOptions options = arguments.options;
  if (arguments.measured) options.provenance = Provenance::measured;
  const Fit result = fit_profile(arguments.tables, options);
  for (std::size_t i = 0; i < result.rejected.size() && i < 20; ++i) {
    const RejectedRow& row = result.rejected[i];
    say(fmt::format("{}:{}: rejected: {}\n", row.place.file, row.place.line, row.reason));
  }
  say(fmt::format("{} rows used, {} rejected, {} passed over by their flags\n", result.used,
                  result.rejected.size(), result.flagged));
  if (arguments.output.has_parent_path()) {
    std::filesystem::create_directories(arguments.output.parent_path());
  }
  write_profile(arguments.output, result.profile);
  print(show_profile(result.profile));
  return kDone;
}

int show(const std::string& name, bool all) {
  if (!all) {
    if (name.empty()) {
      throw InputError("which profile?", "a name, a .toml file, or --all",
                       "`moesim list profiles` names them");
    }
    print(show_profile(*load_profile(name)));
    return kDone;
  }
  std::string out = errors_heading();
  for (const std::string& profile : shipped_profiles()) {
    out += show_errors(profile, *load_profile(profile));
  }
  print(out);
  return kDone;
}

int import(const std::string& kind, const std::filesystem::path& file,
           const std::filesystem::path& output) {
  const std::string table = import_table(kind, file);
  if (output.empty()) {
    print(table);
  } else {
    write_file(output, table);
  }
  return kDone;
}

}  // namespace

Action declare_calibrate(CLI::App& app) {
  app.require_subcommand(0, 1);
  const Action measure = declare_measure(app);
  auto action = std::make_shared<Action>();

  auto fit_arguments = std::make_shared<FitArguments>();
  CLI::App* fit_app = app.add_subcommand("fit", "Turn tables of kernel times into a profile");
  fit_app->add_option("TABLE", fit_arguments->tables, "CSV tables, plain or gzip")->required();
  fit_app->add_option("-o,--output", fit_arguments->output, "The profile, a .toml file")
      ->required();
  fit_app->add_option("--gpu", fit_arguments->options.gpu, "The GPU whose rows to use")
      ->required();
  fit_app->add_option("--engine", fit_arguments->options.engine, "The engine whose rows to use")
      ->required();
  fit_app->add_flag("--measured", fit_arguments->measured,
                    "The tables were measured on this machine");
  fit_app->callback([=] { *action = [=] { return fit(*fit_arguments); }; });

  auto name = std::make_shared<std::string>();
  auto all = std::make_shared<bool>(false);
  CLI::App* show_app = app.add_subcommand("show", "A profile and its held-out errors");
  show_app->add_option("PROFILE", *name, "A shipped profile or a .toml file");
  show_app->add_flag("--all", *all, "One table of all shipped profiles");
  show_app->callback([=] { *action = [=] { return show(*name, *all); }; });

  auto kind = std::make_shared<std::string>();
  auto file = std::make_shared<std::filesystem::path>();
  auto output = std::make_shared<std::filesystem::path>();
  CLI::App* import_app = app.add_subcommand("import", "Turn other tools' output into a table");
  import_app->add_option("KIND", *kind, "nccl, deepep or kernels")->required();
  import_app->add_option("FILE", *file, "The tool's output")->required();
  import_app->add_option("-o,--output", *output, "The table; without it, stdout");
  import_app->callback([=] { *action = [=] { return import(*kind, *file, *output); }; });

  return [action, measure] { return *action ? (*action)() : measure(); };
}

}  // namespace moesim
