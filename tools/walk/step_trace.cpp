#include "tools/walk/step_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "sim/base/diagnostics.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {

namespace {

// Phases in the order of a layer, with the causes that they hold.
struct Phase {
  std::string_view name;
  Cause first;
  std::optional<Cause> second;
};
constexpr Phase kPhases[] = {
    {"attention", Cause::attention, Cause::attention_straggler},
    {"collective", Cause::collective, {}},
    {"dense", Cause::dense, {}},
    {"dispatch", Cause::dispatch, {}},
    {"experts", Cause::expert, Cause::expert_straggler},
    {"combine", Cause::combine, {}},
    {"host", Cause::host, {}},
};

Seconds parse_time(std::string_view text, std::string_view window) {
  const auto parsed = parse_quantity<Seconds>(text);
  if (const auto* time = std::get_if<Seconds>(&parsed)) return *time;
  throw InputError(fmt::format("--trace-window '{}': {}", window, std::get<1>(parsed)),
                   "FROM:UNTIL in simulated time, as 60s:61s");
}

}  // namespace

TraceWindow parse_trace_window(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw InputError(fmt::format("--trace-window '{}' has no ':'", text),
                     "FROM:UNTIL in simulated time, as 60s:61s");
  }
  const Seconds from = parse_time(text.substr(0, colon), text);
  const Seconds until = parse_time(text.substr(colon + 1), text);
  if (!(until > from) || from < Seconds{0}) {
    throw InputError(fmt::format("--trace-window '{}' is empty", text),
                     "FROM before UNTIL, neither negative");
  }
  return {from, until - from};
}

StepTrace::StepTrace(const TraceWindow& window, const Simulation& simulation)
    : window_(window), simulation_(simulation) {
  if (window.from) open(*window.from);
}

void StepTrace::open(Seconds from) {
  trace_ = std::make_unique<TraceFile>(
      TraceOptions{.from = from, .until = from + window_.lasts, .max_bytes = 16 << 20});
  for (int i = 0; i < simulation_.instances(); ++i) {
    const TraceTrack process = trace_->process(fmt::format("instance {}", i));
    tracks_.push_back({.steps = trace_->thread(process, "critical path"),
                       .straggler = trace_->thread(process, "slowest GPU"),
                       .waiting = trace_->counter(process, "queue", "requests"),
                       .running = trace_->counter(process, "batch", "requests"),
                       .tokens = trace_->counter(process, "step tokens", "tokens")});
  }
}

void StepTrace::step(int instance, const StepReport& report, Seconds begin, Seconds end) {
  if (!trace_) {
    const Recorder& recorder = simulation_.recorder();
    if (std::ssize(recorder.records()) <= recorder.warmup_requests()) return;
    open(begin);
  }
  if (!trace_->wants(begin)) return;
  const Tracks& tracks = tracks_[static_cast<std::size_t>(instance)];
  trace_->slice({.track = tracks.steps, .name = "step", .begin = begin, .end = end});
  Seconds at = begin;
  for (const Phase& phase : kPhases) {
    const double seconds =
        report.time[phase.first] + (phase.second ? report.time[*phase.second] : 0.0);
    if (seconds <= 0) continue;
    const Seconds until = std::min(end, at + Seconds{seconds});
    trace_->slice({.track = tracks.steps, .name = phase.name, .begin = at, .end = until});
    at = until;
  }
  if (report.straggler_rank >= 0) {
    const Parallelism& p = simulation_.parallel();
    const int gpu = instance * p.gpus + report.straggler_rank * p.moe_tp;
    const std::string name = fmt::format("GPU {}, expert {}", gpu, report.straggler_expert);
    trace_->slice({.track = tracks.straggler,
                   .name = name,
                   .begin = begin,
                   .end = end,
                   .layer = report.straggler_layer});
  }
  const Instance& engine = simulation_.instance(instance);
  trace_->count(tracks.waiting, end, engine.waiting());
  trace_->count(tracks.running, end, engine.running());
  trace_->count(tracks.tokens, begin, report.tokens);
}

void StepTrace::write(const std::filesystem::path& path) const {
  if (trace_) {
    trace_->write(path);
  } else {
    TraceFile().write(path);  // no step began in the window
  }
}

}  // namespace moesim
