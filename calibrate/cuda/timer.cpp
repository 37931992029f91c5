#include "calibrate/cuda/timer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace moesim_cuda {
namespace {

constexpr double kShortest = 2e-4;  // of a replay: far above the events' half microsecond
constexpr double kLongest = 2e-3;
constexpr int kMostRuns = 1024;
constexpr double kWarmUp = 5e-3;

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Timer::Timer(Session& session, Work& work) : session_(session), work_(work) {
  events_.resize(2);
  for (cudaEvent_t& e : events_) check(cudaEventCreate(&e), "making an event");
  const double once = std::max(estimate(), 1e-7);
  const double enough = std::max<double>(std::ceil(kShortest / once), work.copies());
  const double allowed = std::max(std::ceil(kShortest / once), std::floor(kLongest / once));
  runs_ = static_cast<int>(std::clamp<double>(std::min(enough, allowed), 1, kMostRuns));
  if (work.capturable()) capture();
  const auto start = std::chrono::steady_clock::now();
  do {
    replay();
    check(cudaStreamSynchronize(session_.stream), "warming up");
  } while (since(start) < kWarmUp);
}

Timer::~Timer() {
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  for (cudaEvent_t e : events_) cudaEventDestroy(e);
}

// Seconds of one run, launched on the stream: the second of two, after lazy loading.
double Timer::estimate() {
  float ms = 0;
  for (int i = 0; i < 2; ++i) {
    check(cudaEventRecord(events_[0], session_.stream), "recording an event");
    work_.enqueue(session_.stream, turn_++);
    check(cudaGetLastError(), "launching");
    check(cudaEventRecord(events_[1], session_.stream), "recording an event");
    check(cudaEventSynchronize(events_[1]), "running the operation");
    check(cudaEventElapsedTime(&ms, events_[0], events_[1]), "reading events");
  }
  return ms * 1e-3;
}

void Timer::capture() {
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(session_.stream, cudaStreamCaptureModeThreadLocal),
        "capturing a graph");
  try {
    for (int i = 0; i < runs_; ++i) work_.enqueue(session_.stream, turn_++);
  } catch (...) {
    cudaStreamEndCapture(session_.stream, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(session_.stream, &graph), "capturing a graph");
  const cudaError_t made = cudaGraphInstantiate(&graph_, graph, 0);
  cudaGraphDestroy(graph);
  check(made, "making a graph");
  check(cudaGraphUpload(graph_, session_.stream), "uploading a graph");
}

void Timer::replay() {
  if (graph_ != nullptr) {
    check(cudaGraphLaunch(graph_, session_.stream), "launching a graph");
    return;
  }
  for (int i = 0; i < runs_; ++i) work_.enqueue(session_.stream, turn_++ % work_.copies());
}

std::vector<double> Timer::sample(int count) {
  while (events_.size() < static_cast<std::size_t>(count) + 1) {
    events_.push_back(nullptr);
    check(cudaEventCreate(&events_.back()), "making an event");
  }
  // One more replay in front, so that the first timed one finds the GPU busy.
  replay();
  for (int i = 0; i < count; ++i) {
    check(cudaEventRecord(events_[static_cast<std::size_t>(i)], session_.stream),
          "recording an event");
    replay();
  }
  check(cudaEventRecord(events_[static_cast<std::size_t>(count)], session_.stream),
        "recording an event");
  check(cudaStreamSynchronize(session_.stream), "running the operation");
  std::vector<double> times;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, events_[i], events_[i + 1]), "reading events");
    times.push_back(ms * 1e-3 / (static_cast<double>(runs_) * work_.repeats()));
  }
  return times;
}

Timer::Loop Timer::energy(double seconds) {
  Loop loop;
  const double before = session_.nvml ? session_.nvml->energy() : -1;
  if (before < 0) return loop;
  const auto start = std::chrono::steady_clock::now();
  while (since(start) < seconds) {
    // A few at a time: the queue is never empty and never long.
    for (int i = 0; i < 4; ++i) replay();
    check(cudaStreamSynchronize(session_.stream), "running the operation");
    loop.runs += 4.0 * runs_ * work_.repeats();
  }
  loop.seconds = since(start);
  loop.joules = session_.nvml->energy() - before;
  return loop;
}

}  // namespace moesim_cuda
