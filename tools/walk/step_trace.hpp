// The steps of a window of a run as a timeline.
//
// A process per instance: its critical path (every phase of every layer, in order), the GPU
// that each step waited for most, when its requests arrived, the queue and the batch. A process
// per node with a thread per GPU: the step's phases, summed over the layers, and inside each
// what this GPU computed of it: the rest it waited for slower ones. A request's flow joins its
// arrival and all of its steps on the GPU that owns it. Use of every NIC and switch link over a
// step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/serving/simulation.hpp"
#include "tools/report/trace.hpp"
#include "tools/walk/trace_links.hpp"

namespace moesim {

// Steps that begin in [from, from + lasts), as many as go into `max_bytes`.
struct TraceWindow {
  std::optional<Seconds> from;  // none: when the warm-up has ended
  Seconds lasts{2};
  std::size_t max_bytes = std::size_t{8} << 20;
};

// "60s:61s", of at most 64 MiB. Throws InputError.
TraceWindow parse_trace_window(std::string_view text);

class StepTrace {
 public:
  // Both outlive this.
  StepTrace(const TraceWindow& window, const Simulation& simulation, const Cluster& cluster);

  // The instance has planned its next step (without tokens: it pauses), and the step it planned
  // last has ended. Others' steps may lie between.
  void planned(int instance, Seconds now);
  void step(int instance, const StepReport& report, Seconds begin, Seconds end);

  void write(const std::filesystem::path& path) const;
  // Of the window, but the file was full.
  [[nodiscard]] std::int64_t steps_left_out() const { return left_out_; }
  // What is open from and until; none when nothing was traced.
  [[nodiscard]] std::optional<Seconds> began() const { return from_; }

 private:
  // Counters of an instance before the step in hand, and what the step holds.
  struct Plan {
    bool wanted = false;
    int waiting = 0;
    int running = 0;
    std::vector<double> attention, dense, experts;  // [gpus] seconds since the start
    std::vector<double> links;                      // [links] bytes
    std::vector<std::vector<std::uint64_t>> flows;  // [dp] requests in the step
  };
  struct Tracks {
    TraceTrack steps, straggler, arrivals, waiting, running, tokens;
    std::vector<TraceTrack> gpus;
    LinkTracks links;
  };
  [[nodiscard]] bool opens(Seconds now);
  void open(Seconds from);
  void take_requests(int instance, Plan& plan);
  void draw_critical_path(int instance, Seconds begin, Seconds end);
  void draw_gpu(int instance, int gpu, const StepReport& report, Seconds begin, Seconds end);
  void draw_straggler(int instance, const StepReport& report, Seconds begin, Seconds end);

  TraceWindow window_;
  const Simulation& simulation_;
  const Cluster& cluster_;
  std::optional<Seconds> from_;
  std::int64_t left_out_ = 0;
  std::unique_ptr<TraceFile> trace_;
  std::vector<Tracks> tracks_;  // [instances]
  std::vector<Plan> plans_;     // [instances]
  std::vector<bool> arrived_;   // [requests] that have been seen
};

}  // namespace moesim
