#include "calibrate/cuda/timer.h"

#include <algorithm>
#include <chrono>

#include "calibrate/cuda/replay.h"

namespace moesim_cuda {
namespace {

constexpr double kWarmUp = 5e-3;
constexpr double kFastest = 1e-7;     // nothing on a GPU takes less
constexpr double kLongestStep = 0.3;  // of the energy counter

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Timer::Timer(Session& session, Work& work) : session_(session), work_(work) {
  for (int i = 0; i < 2; ++i) events_.push_back(make_event());
  set_runs(launched_once());
  for (int attempt = 0; attempt < 2; ++attempt) {
    const double took = one_replay();
    if (took > 0.8 * kShortestReplay || runs_ >= kMostRuns) break;
    set_runs(took / runs_);
  }
  const auto start = std::chrono::steady_clock::now();
  do {
    replay();
    check(cudaStreamSynchronize(session_.stream), "warming up");
  } while (since(start) < kWarmUp);
}

void Timer::set_runs(double once) {
  runs_ = runs_per_replay(std::max(once, kFastest), work_.copies());
  if (work_.capturable()) capture();
}

void Timer::record(std::size_t event) {
  check(cudaEventRecord(events_[event].get(), session_.stream), "recording an event");
}

// Seconds.
double Timer::between(std::size_t first, std::size_t second) {
  float ms = 0;
  check(cudaEventElapsedTime(&ms, events_[first].get(), events_[second].get()),
        "reading events");
  return ms * 1e-3;
}

// Seconds of one run on the stream: the second of two, after the kernels have been loaded.
double Timer::launched_once() {
  for (int i = 0; i < 2; ++i) {
    record(0);
    work_.enqueue(session_.stream, turn_++);
    check(cudaGetLastError(), "launching");
    record(1);
    check(cudaStreamSynchronize(session_.stream), "running the operation");
  }
  return between(0, 1);
}

// Seconds of a replay, the second of two.
double Timer::one_replay() {
  replay();
  record(0);
  replay();
  record(1);
  check(cudaStreamSynchronize(session_.stream), "running the operation");
  return between(0, 1);
}

void Timer::capture() {
  graph_.reset();
  cudaGraph_t captured = nullptr;
  check(cudaStreamBeginCapture(session_.stream, cudaStreamCaptureModeThreadLocal),
        "capturing a graph");
  try {
    for (int i = 0; i < runs_; ++i) work_.enqueue(session_.stream, turn_++);
  } catch (...) {
    cudaStreamEndCapture(session_.stream, &captured);
    const Graph half(captured);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(session_.stream, &captured), "capturing a graph");
  const Graph graph(captured);
  cudaGraphExec_t made = nullptr;
  check(cudaGraphInstantiate(&made, graph.get(), 0), "making a graph");
  graph_.reset(made);
  check(cudaGraphUpload(made, session_.stream), "uploading a graph");
}

void Timer::replay() {
  if (graph_ != nullptr) {
    check(cudaGraphLaunch(graph_.get(), session_.stream), "launching a graph");
    return;
  }
  for (int i = 0; i < runs_; ++i) work_.enqueue(session_.stream, turn_++);
}

std::vector<double> Timer::sample(int count) {
  const auto last = static_cast<std::size_t>(count);
  while (events_.size() <= last) events_.push_back(make_event());
  // One more replay in front, so that the first timed one finds the GPU busy.
  replay();
  for (std::size_t i = 0; i < last; ++i) {
    record(i);
    replay();
  }
  record(last);
  check(cudaStreamSynchronize(session_.stream), "running the operation");
  std::vector<double> times;
  for (std::size_t i = 0; i < last; ++i) {
    times.push_back(between(i, i + 1) / (static_cast<double>(runs_) * work_.repeats()));
  }
  return times;
}

// The counter moves in steps of up to a tenth of a second: from one step to another, all that
// was drawn between them is counted.
double Timer::energy_at_step() {
  const double first = session_.nvml ? session_.nvml->energy() : -1;
  const auto start = std::chrono::steady_clock::now();
  double now = first;
  while (first >= 0 && now <= first && since(start) < kLongestStep) {
    now = session_.nvml->energy();
  }
  return now;
}

Timer::Loop Timer::energy(double seconds) {
  Loop loop;
  const double before = energy_at_step();
  if (before < 0) return loop;
  const auto start = std::chrono::steady_clock::now();
  double after = before, last = -1;
  while (since(start) < seconds + kLongestStep && (last < 0 || after <= last)) {
    // A few at a time: the queue is never empty for long, and never long.
    for (int i = 0; i < 16; ++i) replay();
    check(cudaStreamSynchronize(session_.stream), "running the operation");
    loop.runs += 16.0 * runs_ * work_.repeats();
    if (since(start) < seconds) continue;
    last = last < 0 ? session_.nvml->energy() : after;
    after = session_.nvml->energy();
  }
  loop.seconds = since(start);
  loop.joules = after - before;
  return loop;
}

}  // namespace moesim_cuda
