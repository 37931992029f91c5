#include "tools/report/trace.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <map>

#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"
#include "tests/report/decoded_trace.hpp"

using namespace moesim;
using namespace moesim::literals;

namespace {

using Decoded = DecodedTrace;

// What an independent reader finds in the file.
Decoded decode(const TraceFile& trace) {
  const auto path = std::filesystem::temp_directory_path() / "moesim_trace_test.pftrace";
  trace.write(path);
  const Decoded out = decode_trace(path);
  std::filesystem::remove(path);
  return out;
}

bool has_line(const Decoded& decoded, const std::string& line) {
  return decoded.has_line(line);
}

}  // namespace

TEST_CASE("a trace's slices nest and their sums are the phases' times") {
  // Per phase: sum of durations; exact by the `seconds` note, to the clock's ns by timestamps.
  TraceFile trace;
  std::vector<TraceTrack> gpus;
  for (int n = 0; n < 2; ++n) {
    const TraceTrack node = trace.process("node " + std::to_string(n));
    for (int g = 0; g < 4; ++g) {
      gpus.push_back(trace.thread(node, "GPU " + std::to_string(4 * n + g)));
    }
  }
  const TraceTrack queue = trace.counter(TraceTrack{1}, "queue", "requests");
  Stream random(1, "trace");
  std::map<std::string, double> expected;
  const std::vector<std::string> phases = {"attention", "dispatch", "experts", "combine"};
  double now = 0;
  int slices = 0;
  for (std::uint64_t step = 0; step < 50; ++step) {
    double step_end = now;
    for (const TraceTrack gpu : gpus) {
      double at = now;
      for (int layer = 0; layer < 6; ++layer) {
        for (const std::string& phase : phases) {
          const double took = random.exponential(40e-6);
          trace.slice({gpu, phase, Seconds{at}, Seconds{at + took}, layer, {}});
          expected[phase] += (at + took) - at;
          at += took;
          ++slices;
        }
      }
      // Reported after its parts, and still the outer one.
      const std::uint64_t requests[] = {step, step + 1};
      trace.slice({gpu, "step", Seconds{now}, Seconds{at}, -1, requests});
      expected["step"] += at - now;
      ++slices;
      step_end = std::max(step_end, at);
    }
    trace.count(queue, Seconds{now}, random.uniform());
    now = step_end;
  }
  const Decoded decoded = decode(trace);
  INFO(decoded.text);
  REQUIRE(decoded.status == 0);
  CHECK(has_line(decoded, "slices " + std::to_string(slices)));
  CHECK(has_line(decoded, "counters 50"));
  CHECK(has_line(decoded, "flows 51"));
  CHECK(has_line(decoded, "process node 1"));
  CHECK(has_line(decoded, "thread GPU 7"));
  CHECK(has_line(decoded, "counter queue requests"));
  for (const auto& [phase, seconds] : expected) {
    CHECK(decoded.exact.at(phase) == Approx(seconds).epsilon(1e-9));
    CHECK(std::abs(decoded.clock.at(phase) - seconds) <= 1e-9 * decoded.count.at(phase));
  }
}

TEST_CASE("a trace keeps only what begins in its window") {
  TraceFile trace({.from = 1.0_s, .until = 2.0_s});
  const TraceTrack gpu = trace.thread(trace.process("node 0"), "GPU 0");
  for (int i = 0; i < 40; ++i) {
    trace.slice({gpu, "step", Seconds{0.1 * i}, Seconds{0.1 * (i + 1)}, -1, {}});
  }
  CHECK(has_line(decode(trace), "slices 10"));
  CHECK(trace.wants(1.0_s));
  CHECK_FALSE(trace.wants(2.0_s));
}

TEST_CASE("a trace never grows past its bound and says how much it left out") {
  TraceFile trace({.max_bytes = 20'000});
  const TraceTrack gpu = trace.thread(trace.process("node 0"), "GPU 0");
  for (int i = 0; i < 10'000; ++i) {
    trace.slice({gpu, "step", Seconds{1e-3 * i}, Seconds{1e-3 * (i + 1)}, 3, {}});
  }
  CHECK(trace.bytes().size() <= 20'000);
  CHECK(trace.dropped() > 0);
  CHECK(has_line(decode(trace), "slices " + std::to_string(10'000 - trace.dropped())));
}

TEST_CASE("slices of one GPU that overlap without nesting break a law") {
  TraceFile trace;
  const TraceTrack gpu = trace.thread(trace.process("node 0"), "GPU 0");
  trace.slice({gpu, "a", 0.0_s, 2.0_s, -1, {}});
  trace.slice({gpu, "b", 1.0_s, 3.0_s, -1, {}});
  CHECK_THROWS_AS(trace.bytes(), BrokenLaw);
}

TEST_CASE("slices whose ends are sums of doubles join without a gap or an overlap") {
  // .1 + .2 > .3: the inner slice ends a rounding later than the outer one.
  TraceFile trace;
  const TraceTrack gpu = trace.thread(trace.process("node 0"), "GPU 0");
  trace.slice({gpu, "step", 0.0_s, 0.3_s, -1, {}});
  trace.slice({gpu, "a", 0.0_s, 0.1_s, -1, {}});
  trace.slice({gpu, "b", 0.1_s, Seconds{0.1 + 0.2}, -1, {}});
  const Decoded decoded = decode(trace);
  INFO(decoded.text);
  CHECK(decoded.status == 0);
}
