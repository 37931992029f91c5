#include "calibrate/measure/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "calibrate/measure/model_file.hpp"
#include "calibrate/measure/raw_points.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {
namespace {

Seconds steady_now() {
  return Seconds{
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
          .count()};
}

// Reasons that cost speed: power, thermal and hardware slowdowns (nvml.h,
// nvmlClocksThrottleReasons: SwPowerCap 4, HwSlowdown 8, SwThermal 20, HwThermal 40,
// HwPowerBrake 80); not application clocks or display settings.
constexpr std::uint64_t kSlowing = 0x4 | 0x8 | 0x20 | 0x40 | 0x80;

std::size_t count(const std::vector<Point>& points, auto holds) {
  return static_cast<std::size_t>(std::count_if(points.begin(), points.end(), holds));
}

// The device's best stream: the largest bytes per second of reads far above the cache.
std::string bandwidth_line(const Calibration& c) {
  double best = 0;
  for (const Point& p : c.measurement.points) {
    if (p.job.op.kind != OpKind::read && p.job.op.kind != OpKind::copy) continue;
    if (bytes_of(p.job.op) < 4 * c.facts.l2_cache) continue;
    best = std::max(best, bytes_of(p.job.op).value / p.time.median);
  }
  return best > 0 ? fmt::format("memory: {} at best\n", to_display(BytesPerSecond{best})) : "";
}

// How the checks against the host went.
std::string checks_line(const std::vector<Verified>& verified) {
  const auto number = [&](auto holds) {
    return std::count_if(verified.begin(), verified.end(), holds);
  };
  return fmt::format("checked against the host: {} right, {} wrong, {} not run\n",
                     number([](const Verified& v) { return v.right(); }),
                     number([](const Verified& v) { return v.wrong(); }),
                     number([](const Verified& v) { return !v.right() && !v.wrong(); }));
}

}  // namespace

std::unique_ptr<MeasuredDevice> open_device(const MeasureOptions& options) {
  if (options.backend == "cuda") return open_cuda_device(options.gpu);
  if (options.backend == "cpu") return open_cpu_device();
  const std::vector<std::string> known{"cuda", "cpu"};
  throw InputError(fmt::format("unknown backend '{}'", options.backend), "cuda or cpu",
                   did_you_mean(options.backend, known));
}

Calibration calibrate_device(
    MeasuredDevice& device, std::vector<Verified> verified, const MeasureOptions& options,
    const std::filesystem::path& models,
    const std::function<void(std::size_t, std::size_t, Seconds, const Job&)>& progress,
    const std::function<bool()>& interrupted) {
  PlanOptions wanted;
  wanted.budget = options.budget;
  wanted.seed = options.seed;
  for (const auto& name : options.models) {
    wanted.models.push_back(read_measured_model(name, models));
  }
  wanted.selection = options.selection;
  if (all_jobs(device.facts(), wanted).empty()) {
    throw InputError("--only and --without leave no operation to measure",
                     "how their names begin: read, gemm, \"gemm fp8 \", \"experts bf16 "
                     "multi_stream\", decode_attention, all_to_all");
  }
  Calibration result;
  result.facts = device.facts();
  result.verified = std::move(verified);
  Plan plan = make_plan(device.facts(), wanted);
  std::vector<Refusal> wrong = drop_wrong(plan, result.verified);
  Measuring how;
  how.budget = options.budget;
  how.clock = steady_now;
  // A shared processor is too noisy for the rule; points say that they did not converge.
  if (result.facts.demonstration) how.rule.longest = Seconds{0.1};
  how.progress = progress;
  how.keep = [&](const Measurement& so_far) {
    if (so_far.points.empty()) return;
    write_raw_tables(raw_tables(so_far, result.facts, options.seed), options.output);
  };
  how.interrupted = interrupted;
  result.measurement = measure(device, plan, how);
  auto& refusals = result.measurement.refusals;
  refusals.insert(refusals.begin(), wrong.begin(), wrong.end());
  if (!result.measurement.points.empty()) {
    result.files = write_raw_tables(raw_tables(result.measurement, result.facts, options.seed),
                                    options.output);
  }
  return result;
}

std::string calibration_report(const Calibration& c) {
  const Measurement& m = c.measurement;
  std::string text =
      fmt::format("{}: {} points in {:.0f} s", c.facts.name, m.points.size(), m.spent.value);
  if (c.facts.demonstration) text += " (a demonstration: this is no GPU)";
  text += "\n";
  text += checks_line(c.verified);
  text += bandwidth_line(c);
  const auto loose = count(m.points, [](const Point& p) { return !p.converged; });
  const auto slowed = count(m.points, [](const Point& p) {
    return p.before && p.after &&
           ((p.before->throttle_reasons | p.after->throttle_reasons) & kSlowing) != 0;
  });
  text += fmt::format("{} points with a 95 % interval of the median above 1 %\n", loose);
  if (slowed > 0) text += fmt::format("{} points while the clock was throttled\n", slowed);
  if (!m.refusals.empty()) {
    text += fmt::format("{} operations not measured here; not_measured_{}.csv says why\n",
                        m.refusals.size(), c.facts.system);
  }
  if (!m.failure.empty()) text += fmt::format("stopped: {}\n", m.failure);
  if (m.left_out > 0) text += fmt::format("{} operations left out\n", m.left_out);
  if (c.facts.gpus == 1 && !c.facts.demonstration) {
    text += "links between GPUs: not measured (one GPU); import nccl-tests output\n";
  }
  for (const auto& file : c.files) text += fmt::format("wrote {}\n", file.string());
  return text;
}

}  // namespace moesim
