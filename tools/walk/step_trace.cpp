#include "tools/walk/step_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
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

  [[nodiscard]] double seconds(const CauseSeconds& time) const {
    return time[first] + (second ? time[*second] : 0.0);
  }
};
constexpr Phase kPhases[] = {
    {"attention", Cause::attention, Cause::attention_straggler},
    {"collective", Cause::collective, {}},
    {"dense", Cause::dense, {}},
    {"dispatch", Cause::dispatch, {}},
    {"experts", Cause::expert, Cause::expert_straggler},
    {"combine", Cause::combine, {}},
    {"host", Cause::host, {}},
    {"pipeline", Cause::pipeline, {}},
};

constexpr std::size_t kMostBytes = std::size_t{64} << 20;

// A step's own slice, a slice per phase and three for what the GPU computes.
constexpr std::size_t kSlicesPerGpu = std::size(kPhases) + 4;

double grown(const std::vector<double>& before, double now, std::size_t i) {
  return std::max(0.0, now - before[i]);
}

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
  return {from, until - from, kMostBytes};
}

StepTrace::StepTrace(const TraceWindow& window, const Simulation& simulation,
                     const Cluster& cluster)
    : window_(window),
      simulation_(simulation),
      cluster_(cluster),
      plans_(static_cast<std::size_t>(simulation.instances())) {}

// Whether what begins now belongs to the window; opens it when it is time.
bool StepTrace::opens(Seconds now) {
  if (from_) return now >= *from_ && now < *from_ + window_.lasts;
  const Recorder& recorder = simulation_.recorder();
  const bool warm = std::ssize(recorder.records()) > recorder.warmup_requests();
  if (window_.from ? now < *window_.from : !warm) return false;
  open(window_.from.value_or(now));
  return now < *from_ + window_.lasts;
}

void StepTrace::open(Seconds from) {
  from_ = from;
  trace_ =
      std::make_unique<TraceFile>(TraceOptions{.from = from, .max_bytes = window_.max_bytes});
  tracks_.resize(plans_.size());
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    const TraceTrack process = trace_->process(fmt::format("instance {}", i));
    tracks_[i].steps = trace_->thread(process, "critical path");
    tracks_[i].straggler = trace_->thread(process, "waits most for");
    tracks_[i].arrivals = trace_->thread(process, "arrivals");
    tracks_[i].waiting = trace_->counter(process, "queue", "requests");
    tracks_[i].running = trace_->counter(process, "batch", "requests");
    tracks_[i].tokens = trace_->counter(process, "step tokens", "tokens");
  }
  NodeTracks nodes;
  std::vector<TraceTrack> gpus;
  for (int n = 0; n < cluster_.nodes(); ++n) {
    nodes.nodes.push_back(trace_->process(fmt::format("node {}", n)));
    for (int g = 0; g < cluster_.gpus_of(NodeId{n}); ++g) {
      const GpuId gpu{cluster_.first_gpu(NodeId{n}).value + g};
      const VertexId vertex = cluster_.place(gpu).vertex;
      gpus.push_back(
          trace_->thread(nodes.nodes.back(), cluster_.graph().vertices[vertex.index()].name));
    }
  }
  nodes.fabric = trace_->process("fabric");
  for (int i = 0; i < simulation_.instances(); ++i) {
    const int first = simulation_.first_gpu(i).value;
    const int last = first + simulation_.pool(i).parallel.gpus - 1;
    Tracks& tracks = tracks_[static_cast<std::size_t>(i)];
    tracks.gpus.assign(gpus.begin() + first, gpus.begin() + last + 1);
    tracks.links = LinkTracks(*trace_, cluster_, nodes, cluster_.node_of(GpuId{first}),
                              cluster_.node_of(GpuId{last}));
  }
}

void StepTrace::planned(int instance, Seconds now) {
  Plan& plan = plans_[static_cast<std::size_t>(instance)];
  plan.wanted = opens(now);
  if (!plan.wanted || left_out_ > 0) return;
  const Instance& engine = simulation_.instance(instance);
  plan.waiting = engine.waiting();
  plan.running = engine.running();
  const StepModel& model = engine.model();
  plan.attention = model.attention_seconds();
  plan.dense = model.dense_seconds();
  if (const MoeStep* moe = simulation_.moe(instance)) plan.experts = moe->totals().rank_seconds;
  const std::span<const double> links = simulation_.ledger().totals();
  plan.links.assign(links.begin(), links.end());
  take_requests(instance, plan);
  if (!std::ranges::all_of(plan.flows, [](const auto& rank) { return rank.empty(); })) return;
  Tracks& tracks = tracks_[static_cast<std::size_t>(instance)];
  trace_->count(tracks.waiting, now, plan.waiting);
  trace_->count(tracks.running, now, plan.running);
  trace_->count(tracks.tokens, now, 0);
  tracks.links.pause(*trace_, now);
}

// Flow 0 means none, so a request's flow is its number and one.
void StepTrace::take_requests(int instance, Plan& plan) {
  const std::vector<AttentionRank>& ranks = simulation_.instance(instance).ranks();
  const TraceTrack arrivals = tracks_[static_cast<std::size_t>(instance)].arrivals;
  plan.flows.resize(ranks.size());
  for (std::size_t d = 0; d < ranks.size(); ++d) {
    plan.flows[d].clear();
    for (const RankRequest& r : ranks[d].requests()) {
      if (r.planned == 0) continue;
      const auto index = static_cast<std::size_t>(r.request);
      const std::uint64_t flow = index + 1;
      plan.flows[d].push_back(flow);
      if (index >= arrived_.size()) arrived_.resize(index + 1);
      if (!arrived_[index]) {
        trace_->slice({.track = arrivals,
                       .name = "arrives",
                       .begin = r.arrival,
                       .end = r.arrival,
                       .flows = {&flow, 1}});
      }
      arrived_[index] = true;
    }
  }
}

void StepTrace::step(int instance, const StepReport& report, Seconds begin, Seconds end) {
  const Plan& plan = plans_[static_cast<std::size_t>(instance)];
  if (!plan.wanted) return;
  Tracks& tracks = tracks_[static_cast<std::size_t>(instance)];
  std::size_t flows = 0;
  for (const auto& rank : plan.flows) flows += rank.size();
  const auto layers =
      static_cast<std::size_t>(simulation_.instance(instance).model().phases().layers());
  const TraceRoom room{
      .slices = std::size(kPhases) * (layers + 1) + 2 + kSlicesPerGpu * tracks.gpus.size(),
      .flows = flows,
      .samples = 3 + tracks.links.size()};
  // A step is there whole or not at all, and none after one that is not.
  if (left_out_ > 0 || !trace_->has(room)) {
    ++left_out_;
    return;
  }
  draw_critical_path(instance, begin, end);
  for (int g = 0; g < std::ssize(tracks.gpus); ++g) draw_gpu(instance, g, report, begin, end);
  draw_straggler(instance, report, begin, end);
  trace_->count(tracks.waiting, begin, plan.waiting);
  trace_->count(tracks.running, begin, plan.running);
  trace_->count(tracks.tokens, begin, report.tokens);
  tracks.links.count(*trace_, plan.links, simulation_.ledger().totals(), begin, end);
}

void StepTrace::draw_critical_path(int instance, Seconds begin, Seconds end) {
  const TraceTrack track = tracks_[static_cast<std::size_t>(instance)].steps;
  trace_->slice({.track = track, .name = "step", .begin = begin, .end = end});
  const std::vector<CauseSeconds>& rows =
      simulation_.instance(instance).model().phases().last_rows();
  Seconds at = begin;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const bool is_layer = row + 1 < rows.size();
    for (const Phase& phase : kPhases) {
      const double seconds = phase.seconds(rows[row]);
      if (seconds <= 0) continue;
      const Seconds until = std::min(end, at + Seconds{seconds});
      trace_->slice({.track = track,
                     .name = phase.name,
                     .begin = at,
                     .end = until,
                     .layer = is_layer ? static_cast<int>(row) : -1});
      at = until;
    }
  }
}

void StepTrace::draw_gpu(int instance, int gpu, const StepReport& report, Seconds begin,
                         Seconds end) {
  const Parallelism& p = simulation_.pool(instance).parallel;
  const Instance& engine = simulation_.instance(instance);
  const int rank = p.attention_rank(gpu);
  if (!engine.has_rank(rank)) return;  // it is gone, and nobody waits for it
  const auto g = static_cast<std::size_t>(gpu);
  const Plan& plan = plans_[static_cast<std::size_t>(instance)];
  const TraceTrack track = tracks_[static_cast<std::size_t>(instance)].gpus[g];
  const auto own = [&](Cause cause) {
    const StepModel& model = engine.model();
    if (cause == Cause::attention)
      return grown(plan.attention, model.attention_seconds()[g], g);
    if (cause == Cause::dense) return grown(plan.dense, model.dense_seconds()[g], g);
    const MoeStep* moe = simulation_.moe(instance);
    if (cause != Cause::expert || moe == nullptr) return 0.0;
    const auto e = static_cast<std::size_t>(gpu / p.moe_tp);
    return grown(plan.experts, moe->totals().rank_seconds[e], e);
  };
  // The first GPU of an attention rank, in the first stage, stands for the rank's requests.
  const auto& requests = plan.flows[static_cast<std::size_t>(rank)];
  const bool first = gpu < p.stage_gpus() && gpu % p.tp == 0;
  trace_->slice({.track = track,
                 .name = "step",
                 .begin = begin,
                 .end = end,
                 .flows = first ? std::span(requests) : std::span<const std::uint64_t>{}});
  Seconds at = begin;
  for (const Phase& phase : kPhases) {
    const double seconds = phase.seconds(report.time);
    if (seconds <= 0) continue;
    const Seconds until = std::min(end, at + Seconds{seconds});
    trace_->slice({.track = track, .name = phase.name, .begin = at, .end = until});
    if (const double busy = own(phase.first); busy > 0) {
      trace_->slice({.track = track,
                     .name = "computes",
                     .begin = at,
                     .end = std::min(until, at + Seconds{busy})});
    }
    at = until;
  }
}

void StepTrace::draw_straggler(int instance, const StepReport& report, Seconds begin,
                               Seconds end) {
  if (report.straggler_rank < 0) return;
  const GpuId gpu{simulation_.first_gpu(instance).value +
                  report.straggler_rank * simulation_.pool(instance).parallel.moe_tp};
  const VertexId vertex = cluster_.place(gpu).vertex;
  trace_->slice({.track = tracks_[static_cast<std::size_t>(instance)].straggler,
                 .name = cluster_.graph().vertices[vertex.index()].name,
                 .begin = begin,
                 .end = end,
                 .layer = report.straggler_layer,
                 .expert = report.straggler_expert});
}

void StepTrace::write(const std::filesystem::path& path) const {
  if (trace_) {
    trace_->write(path);
  } else {
    TraceFile().write(path);  // no step began in the window
  }
}

}  // namespace moesim
