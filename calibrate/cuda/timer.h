// Times an operation by CUDA events around replays of a graph of its runs.
#pragma once

#include <vector>

#include "calibrate/cuda/work.h"

namespace moesim_cuda {

class Timer {
 public:
  // Captures as many runs as replay.h asks for, then warms up. Launched one by one, a short
  // kernel seems several times longer than inside a graph: the count follows a timed replay.
  Timer(Session& session, Work& work);

  // Seconds of one run: each the mean over one replay.
  std::vector<double> sample(int count);

  struct Loop {
    double joules = 0, seconds = 0, runs = 0;
  };
  // Replays for about so many seconds between two readings of the energy counter. Zero runs
  // where energy is not counted.
  Loop energy(double seconds);

 private:
  using Graph = Owned<cudaGraph_t, cudaGraphDestroy>;
  using GraphExec = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;

  void set_runs(double once);
  double launched_once();
  double one_replay();
  void capture();
  void replay();
  void record(std::size_t event);
  double between(std::size_t first, std::size_t second);
  double energy_at_step();

  Session& session_;
  Work& work_;
  int runs_ = 1;  // of the operation per replay
  int turn_ = 0;
  GraphExec graph_;  // null: launched on the stream
  std::vector<Event> events_;
};

}  // namespace moesim_cuda
