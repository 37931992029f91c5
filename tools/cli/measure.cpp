#include "tools/cli/measure.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <iterator>
#include <memory>

#include "calibrate/devices.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/measure/calibration.hpp"
#include "calibrate/measure/verify_apart.hpp"
#include "calibrate/profile_io.hpp"
#include "calibrate/profiles.hpp"
#include "calibrate/show.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/base/units_text.hpp"
#include "tools/cli/terminal.hpp"

namespace moesim {

namespace {

struct MeasureArguments {
  MeasureOptions options;
  std::string budget = "3 min";
  bool quick = false;
  bool verify = false;
};

volatile std::sig_atomic_t asked_to_stop = 0;

// A first interrupt ends the measurement and writes what there is; a second one ends the
// program.
void stop_on_interrupt() {
  const auto stop = [](int signal) {
    asked_to_stop = 1;
    std::signal(signal, SIG_DFL);
  };
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);  // of `timeout`
}

// One line, redrawn, on a terminal only.
class Progress {
 public:
  Progress() : enabled_(is_terminal(stderr)) {}
  ~Progress() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::size_t done, std::size_t expected, Seconds left, const Job& job) {
    if (!enabled_) return;
    drawn_ = true;
    fmt::print(stderr, "\r\033[K{}/{} points, {:.0f} s left: {:.60}", done,
               std::max(done, expected), left.value, to_text(job.op));
    std::fflush(stderr);
  }

 private:
  bool enabled_;
  bool drawn_ = false;
};

Seconds budget_of(const MeasureArguments& a) {
  if (a.quick) return kQuickBudget;
  auto parsed = parse_quantity<Seconds>(a.budget);
  if (const auto* problem = std::get_if<std::string>(&parsed)) {
    throw InputError(fmt::format("--budget {}: {}", a.budget, *problem), "\"3 min\", \"45 s\"");
  }
  const Seconds budget = std::get<Seconds>(parsed);
  if (!(budget.value >= 1) || budget.value > 86400) {
    throw InputError(fmt::format("--budget {}", a.budget), "between \"1 s\" and \"1 d\"");
  }
  return budget;
}

// What to do instead, where there is no GPU to measure.
[[noreturn]] void throw_nothing_to_measure(const WorldError& e) {
  std::string text = fmt::format("there is no GPU to measure: {}\n", e.what());
  const auto shipped = shipped_profiles();
  if (!shipped.empty()) {
    text += fmt::format("A shipped profile needs none; calibration.profile = one of {}.\n",
                        fmt::join(shipped, ", "));
  }
  text += "`--backend cpu` shows the procedure on this machine's processor.";
  throw WorldError(text);
}

std::unique_ptr<MeasuredDevice> device_of(const MeasureOptions& options) {
  try {
    return open_device(options);
  } catch (const WorldError& e) {
    throw_nothing_to_measure(e);
  }
}

// Before this process opens the device: see verify_apart.hpp.
std::vector<ApartCheck> check_apart(const MeasureOptions& options) {
  if (options.backend != "cuda") return {};
  return verify_apart({.open = [&] { return open_device(options); },
                       .selection = options.selection,
                       .interrupted = [] { return asked_to_stop != 0; }});
}

int report_checks(const std::vector<Verified>& results) {
  print(verification_report(results));
  const bool wrong =
      std::any_of(results.begin(), results.end(), [](const Verified& v) { return v.wrong(); });
  if (asked_to_stop != 0) return kInterrupted;
  return wrong ? kFailed : kDone;
}

// The raw tables as a profile beside them; where the GPU has no datasheet here, a line says so
// and the raw points stand alone.
void fit_and_write(const Calibration& calibration, const std::filesystem::path& folder) try {
  const DeviceFacts& facts = calibration.facts;
  if (!find_device(facts.system)) {
    say(fmt::format(
        "no datasheet is known for '{}': the raw points are kept, no profile is fitted\n",
        facts.system));
    return;
  }
  const auto fits = [](const std::filesystem::path& file) {
    return !file.filename().string().starts_with("not_measured_");
  };
  std::vector<std::filesystem::path> tables;
  std::copy_if(calibration.files.begin(), calibration.files.end(), std::back_inserter(tables),
               fits);
  Fit result = fit_profile(tables, {facts.system, "moesim", Provenance::measured});
  if (facts.demonstration) {
    result.profile.notes.push_back(
        "demonstration: measured on a processor; no cluster of GPUs may use it");
  }
  for (const RejectedRow& row : result.rejected) {
    say(fmt::format("{}:{}: rejected: {}\n", row.place.file, row.place.line, row.reason));
  }
  write_profile(folder / "profile.toml", result.profile);
  print(show_profile(result.profile));
} catch (const InputError& e) {
  // The tables are our own: the user's input is not at fault.
  throw WorldError(fmt::format("the raw points are kept, no profile is fitted: {}", e.what()));
}

int measure_and_write(MeasuredDevice& device, std::vector<Verified> verified,
                      const MeasureOptions& options) {
  Calibration calibration;
  {
    Progress progress;
    calibration = calibrate_device(
        device, std::move(verified), options, data_folder() / "scenarios" / "models",
        [&](std::size_t done, std::size_t expected, Seconds left, const Job& job) {
          progress.show(done, expected, left, job);
        },
        [] { return asked_to_stop != 0; });
  }
  say(calibration_report(calibration));
  for (const Verified& v : calibration.verified) {
    if (v.wrong()) say(verification_report({v}));
  }
  if (!calibration.files.empty()) fit_and_write(calibration, options.output);
  if (calibration.measurement.interrupted) return kInterrupted;
  return calibration.measurement.failure.empty() && !calibration.files.empty() ? kDone
                                                                               : kFailed;
}

}  // namespace

Action declare_measure(CLI::App& app) {
  auto a = std::make_shared<MeasureArguments>();
  app.add_option("--backend", a->options.backend,
                 "cuda, or cpu: a demonstration on this machine's processor");
  app.add_option("--gpu", a->options.gpu, "which GPU, from 0");
  app.add_option("--budget", a->budget, "how long to measure: \"3 min\"");
  app.add_flag("--quick", a->quick, "30 seconds: the most important points only");
  app.add_option("--model", a->options.models,
                 "add this model's exact shapes (a name of `moesim list models`, or a file)");
  app.add_option("--only", a->options.selection.only,
                 "only operations whose names begin so: gemm, \"experts bf16 multi_stream\"");
  app.add_option("--without", a->options.selection.without,
                 "no operations whose names begin so");
  app.add_option("--seed", a->options.seed, "of the hold-outs and the order of measurement");
  app.add_option("-o,--output", a->options.output, "folder of the raw points");
  app.add_flag("--verify", a->verify,
               "compare every kernel with a computation on the host, and time nothing");
  return [a] {
    a->options.budget = budget_of(*a);
    stop_on_interrupt();
    // Starting the device and checking its kernels is paid from the budget too, with two thirds
    // of it at most: a kernel that hangs leaves something to measure in.
    const auto start = std::chrono::steady_clock::now();
    const std::vector<ApartCheck> checks = check_apart(a->options);
    const auto device = device_of(a->options);
    std::vector<Verified> verified = checks.empty() && asked_to_stop == 0
                                         ? verify_all(*device, a->options.selection)
                                         : with_operations(checks, device->facts());
    if (a->verify) return report_checks(verified);
    const Seconds spent{
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
    a->options.budget = std::max(a->options.budget - spent, a->options.budget / 3);
    return measure_and_write(*device, std::move(verified), a->options);
  };
}

}  // namespace moesim
