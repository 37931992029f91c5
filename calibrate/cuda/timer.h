// Times an operation by CUDA events around replays of a graph of its runs.
#pragma once

#include <vector>

#include "calibrate/cuda/work.h"

namespace moesim_cuda {

class Timer {
 public:
  // Captures as many runs as a replay needs to last a fifth of a millisecond and to reach
  // every copy of the inputs (at most 2 ms), then warms up.
  Timer(Session& session, Work& work);
  ~Timer();
  Timer(const Timer&) = delete;

  // Seconds of one run: each the mean over one replay.
  std::vector<double> sample(int count);

  struct Loop {
    double joules = 0, seconds = 0, runs = 0;
  };
  // Replays for about so many seconds between two readings of the energy counter. Zero runs
  // where energy is not counted.
  Loop energy(double seconds);

 private:
  double estimate();
  void capture();
  void replay();

  Session& session_;
  Work& work_;
  int runs_ = 1;  // of the operation per replay
  int turn_ = 0;
  cudaGraphExec_t graph_ = nullptr;  // null: launched on the stream
  std::vector<cudaEvent_t> events_;
};

}  // namespace moesim_cuda
