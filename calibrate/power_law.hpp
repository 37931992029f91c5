// The uneven loads under which the public tables time their "power_law" rows, by the law of
// their benchmark (ai-dynamo/aiconfigurator @095f58a, collector/helper.py).
#pragma once

#include <vector>

#include "sim/base/rng.hpp"

namespace moesim {

struct PowerLaw {
  double tokens = 0;
  double top_k = 1;
  int experts = 1;
  int ranks = 1;  // that hold experts / ranks each, in order
  double alpha = 1;
};

// One draw of every expert's assignments, tokens x top_k in all and at most `tokens` each.
// Loads have density x^-alpha between 1 and .8 `tokens` (between .01 and 2 where assignments
// are no more than experts), scaled to their sum and rounded; what rounding and the limit leave
// over goes to the least loaded experts of each rank in turn, what is too much comes from the
// most loaded.
std::vector<double> draw_loads(const PowerLaw& law, Stream& random);

// On the GPU with most assignments: the mean over fixed draws.
struct RankLoad {
  double assignments = 0;
  double active = 0;       // experts with at least one assignment
  double most_loaded = 0;  // assignments of the busiest expert
};
RankLoad power_law_load(const PowerLaw& law);

}  // namespace moesim
