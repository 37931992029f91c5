// The steps of a window of a run as a timeline: a process per instance, whose threads show each
// step's critical path (how long every phase held it up, one after the other, summed over the
// layers; the slices of a step add up to it) and the GPU that the step waited for most;
// counters of the queue and the batch.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/serving/simulation.hpp"
#include "tools/report/trace.hpp"

namespace moesim {

// Steps that begin in [from, from + lasts).
struct TraceWindow {
  std::optional<Seconds> from;  // none: when the warm-up has ended
  Seconds lasts{2};
};

// "60s:61s". Throws InputError.
TraceWindow parse_trace_window(std::string_view text);

class StepTrace {
 public:
  StepTrace(const TraceWindow& window, const Simulation& simulation);

  void step(int instance, const StepReport& report, Seconds begin, Seconds end);
  void write(const std::filesystem::path& path) const;
  // Slices that did not fit into the file's largest size.
  [[nodiscard]] std::size_t dropped() const { return trace_ ? trace_->dropped() : 0; }

 private:
  struct Tracks {
    TraceTrack steps, straggler, waiting, running, tokens;
  };
  void open(Seconds from);

  TraceWindow window_;
  const Simulation& simulation_;
  std::unique_ptr<TraceFile> trace_;
  std::vector<Tracks> tracks_;  // of each instance
};

}  // namespace moesim
