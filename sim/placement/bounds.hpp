// How good a placement is, and how good any could be.
#pragma once

#include <span>

#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim {

// Load of each GPU [gpus] when every expert's load splits evenly over its replicas.
std::vector<double> fair_gpu_loads(const Placement& placement, int layer,
                                   std::span<const double> weights);

// The highest load / speed of a GPU under the even split. `speed` [gpus] or empty.
double busiest_gpu(const Placement& placement, int layer, std::span<const double> weights,
                   std::span<const double> speed = {});

// Mean GPU load / highest GPU load, each load divided by the GPU's speed against the mean
// speed; 1 where there is no load.
double balancedness(std::span<const double> gpu_loads, std::span<const double> speed = {});

// Mean over layers of the balancedness under the even split.
double mean_balancedness(const Placement& placement, std::span<const double> weights,
                         std::span<const double> speed = {});

// No placement of these loads in so many slots has a less busy GPU (load / speed, speeds
// relative to their mean), however dispatch splits an expert over its replicas: the smallest
// M >= mean GPU load with sum over experts of max(1, ceil(w_e / (M fastest))) <= slots.
// A GPU holds at most M, so that an expert needs ceil(w_e / M) GPUs with a slot each.
double load_bound(std::span<const double> weights, int slots, int gpus,
                  std::span<const double> speed = {});

// Highest balancedness any placement can reach: mean / load_bound.
double balancedness_bound(std::span<const double> weights, int slots, int gpus,
                          std::span<const double> speed = {});

// A placement against its bounds, over the layers of its problem, under the even split.
struct PlacementVerdict {
  double balancedness = 1;  // mean over layers
  double busiest_gpu = 0;   // mean over layers, tokens (load / relative speed)
  double lower_bound = 0;   // mean over layers of load_bound
  double gap = 0;           // busiest_gpu / lower_bound - 1
  int same_gpu_duplicates = 0;
  int migrated_experts = 0;  // against problem.previous; 0 without
  std::vector<double> layer_balancedness;
  std::vector<double> layer_busiest_gpu;
  std::vector<double> layer_lower_bound;
};
PlacementVerdict judge(const PlacementProblem& problem, const Placement& placement);

}  // namespace moesim
