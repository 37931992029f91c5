// The uneven loads under which the public tables time their "power_law" rows.
#pragma once

namespace moesim {

struct UnevenLoad {
  double active = 0;       // experts with at least one assignment
  double most_loaded = 0;  // assignments of the busiest expert
};

// `tokens` x `top_k` assignments over `experts` whose loads follow density x^-alpha between 1
// and 0.8 `tokens` (between .01 and 2 where there are fewer assignments than experts), as the
// collector of ai-dynamo/aiconfigurator draws them; here at the quantiles, not at random.
UnevenLoad power_law_load(double tokens, double top_k, int experts, double alpha);

// The same on the most loaded of `ranks` GPUs that hold experts / ranks each, in an order drawn
// at random (mean over fixed draws). `assignments` of the rank come with it.
struct RankLoad {
  double assignments = 0;
  double active = 0;
  double most_loaded = 0;
};
RankLoad power_law_rank_load(double tokens, double top_k, int experts, int ranks, double alpha);

}  // namespace moesim
