// Which operations to time, in which order, so that a budget of any size gives a usable
// profile: what matters most is never left out, the rest is thinned at random, and what is
// taken is measured in random order, so that a drifting clock biases no axis.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/measure/device.hpp"
#include "calibrate/measure/operation.hpp"
#include "sim/base/units.hpp"

namespace moesim {

// What a point is for. Hold-outs lie off the grid and are never fitted.
enum class Purpose { fit, holdout, step, model, energy };
std::string_view to_text(Purpose purpose);

struct Job {
  Operation op;
  Purpose purpose = Purpose::fit;
  int tier = 0;  // 0: never left out before a higher tier
  Seconds estimate{0};

  friend bool operator==(const Job&, const Job&) = default;
};

// The shapes of one model that --model adds, as one GPU of a deployment may hold them.
struct MeasuredModel {
  std::string name;
  int hidden = 0;
  int moe_intermediate = 0;
  int experts = 0;
  int top_k = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  std::vector<Dtype> dtypes{Dtype::bf16, Dtype::fp8};
};

struct PlanOptions {
  Seconds budget{180};
  std::uint64_t seed = 1;
  std::vector<MeasuredModel> models = {};
  Selection selection = {};
};

// `jobs` in the order of measurement. The first `expected` fit the budget by their estimates;
// the others follow in order of importance, for as long as time remains.
struct Plan {
  std::vector<Job> jobs;
  std::size_t expected = 0;
};

// Every job there is for this device, by family, grid order, without an estimate.
std::vector<Job> all_jobs(const DeviceFacts& facts, const PlanOptions& options);

// What one job costs: setting up, warming up, and enough samples.
Seconds estimate_job(const Job& job, const DeviceFacts& facts);

Plan make_plan(const DeviceFacts& facts, const PlanOptions& options);

}  // namespace moesim
