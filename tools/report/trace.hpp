// trace.pftrace: what every GPU did when, for https://ui.perfetto.dev (it opens the file in the
// browser and sends it nowhere) or trace_processor.
//
//   TraceFile trace({.from = 60.0_s, .until = 61.0_s});
//   const TraceTrack node = trace.process("node 0");
//   const TraceTrack gpu = trace.thread(node, "GPU 0");
//   trace.slice({.track = gpu, .name = "attention", .begin = t, .end = t + d, .layer = 3});
//   trace.write(folder / "trace.pftrace");
//
// Format: Perfetto TrackEvent, https://perfetto.dev/docs/reference/synthetic-track-event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

struct TraceOptions {
  // Kept: what begins in [from, until), `--trace-window 60s:61s`.
  Seconds from{0};
  Seconds until{std::numeric_limits<double>::infinity()};
  // The file is never longer; what comes after it is full is counted and left out.
  std::size_t max_bytes = std::size_t{64} << 20;
};

// One line of the timeline: a process (node), a thread of it (GPU) or a counter of it.
struct TraceTrack {
  std::uint32_t value = 0;
  friend bool operator==(TraceTrack, TraceTrack) = default;
};

// Something that lasted; begin == end draws an arrow head. Flows join slices that carry the
// same number, in order of time: a request's number on its arrival and on each of its steps.
struct TraceSlice {
  TraceTrack track;
  std::string_view name;  // "attention", "dispatch", "experts", "combine", "host", "step"
  Seconds begin{0};
  Seconds end{0};
  int layer = -1;  // -1: belongs to no layer
  std::span<const std::uint64_t> flows = {};
  int expert = -1;  // -1: of no single expert
};

// So many things of a file.
struct TraceRoom {
  std::size_t slices = 0;
  std::size_t flows = 0;
  std::size_t samples = 0;
};

class TraceFile {
 public:
  explicit TraceFile(TraceOptions options = {});

  TraceTrack process(std::string_view name);
  TraceTrack thread(TraceTrack process, std::string_view name);
  TraceTrack counter(TraceTrack process, std::string_view name, std::string_view unit);

  // Whether something that begins then would be kept: lets a caller skip the work.
  [[nodiscard]] bool wants(Seconds begin) const;

  // Whether so much more goes into the file, names that are new to it aside.
  [[nodiscard]] bool has(const TraceRoom& room) const;

  // In any order; slices of one track nest or lie apart to the nanosecond, the file's clock
  // (BrokenLaw in `bytes` otherwise). Each also carries its exact `seconds`.
  void slice(const TraceSlice& slice);
  void count(TraceTrack counter, Seconds at, double value);

  [[nodiscard]] std::size_t dropped() const { return dropped_; }

  // The file's content; the same calls give the same bytes.
  [[nodiscard]] std::string bytes() const;
  void write(const std::filesystem::path& path) const;

 private:
  struct Track {
    enum class Kind { process, thread, counter } kind;
    std::uint32_t parent;
    std::string name;
    std::string unit;
  };
  struct Slice {
    double begin, end;
    std::uint32_t track, name, flow_at, flows;
    std::int32_t layer, expert;
  };
  struct Sample {
    double at, value;
    std::uint32_t track;
  };
  // The begin or the end of a slice, in the file's order.
  struct Event {
    std::int64_t at_ns;
    std::uint32_t slice;
    bool ends;
  };

  TraceTrack add(Track track);
  bool spend(std::size_t bytes);
  std::uint32_t intern(std::string_view name);
  [[nodiscard]] bool is_instant(std::uint32_t slice) const;
  [[nodiscard]] std::vector<Event> nested_events() const;
  void write_names(std::string& out) const;
  void write_tracks(std::string& out) const;
  void write_event(std::string& out, const Event& event) const;

  TraceOptions options_;
  std::size_t spent_ = 0;
  std::size_t dropped_ = 0;
  std::vector<Track> tracks_;
  std::vector<Slice> slices_;
  std::vector<Sample> samples_;
  std::vector<std::uint64_t> flows_;
  std::map<std::string, std::uint32_t, std::less<>> names_;
};

}  // namespace moesim
