// An operation made ready on a GPU: its memory, its launch and its check against the host.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibrate/cuda/session.h"
#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {

// The largest difference from the host's result over that result's scale, and what the number
// format allows.
struct Difference {
  double error = 0;
  double tolerance = 0;
};

class Work {
 public:
  virtual ~Work() = default;

  // What its points are filed under.
  [[nodiscard]] virtual std::string kernel() const = 0;
  // How many different copies of its inputs there are; runs take turns.
  [[nodiscard]] virtual int copies() const { return 1; }
  // One run on copy `turn % copies()`, asynchronous.
  virtual void enqueue(cudaStream_t stream, int turn) = 0;
  // Nodes of one run: times are divided by it.
  [[nodiscard]] virtual int repeats() const { return 1; }
  // Whether a run may be captured into a graph; else it is timed on the stream.
  [[nodiscard]] virtual bool capturable() const { return true; }
  // `count` timings by the operation itself (those of several GPUs); empty: use the timer.
  virtual std::vector<double> sample(int count) { return (void)count, std::vector<double>{}; }
  // Runs copy 0 and compares.
  virtual Difference check() = 0;
};

// Each throws Refusal where this GPU or library cannot.
std::unique_ptr<Work> make_gemm(Session& session, const moesim_op& op);
std::unique_ptr<Work> make_experts(Session& session, const moesim_op& op);
std::unique_ptr<Work> make_memory_kernel(Session& session, const moesim_op& op);
std::unique_ptr<Work> make_attention(Session& session, const moesim_op& op);
std::unique_ptr<Work> make_launch(Session& session, const moesim_op& op);
std::unique_ptr<Work> make_all_to_all(Session& session, const moesim_op& op);

std::unique_ptr<Work> make_work(Session& session, const moesim_op& op);

}  // namespace moesim_cuda
