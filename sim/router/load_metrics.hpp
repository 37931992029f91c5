// How uneven a load is: pure functions over the tokens of one layer's experts (or of GPUs).
#pragma once

#include <span>

namespace moesim {

struct LoadMetrics {
  double tokens = 0;  // summed over the experts
  double max_over_mean = 1;
  double cv = 0;       // standard deviation / mean
  double gini = 0;     // 0 even, -> 1 all on one
  double entropy = 1;  // of the shares, over log(experts): 1 even, 0 all on one
  int active = 0;      // at least one token
  int dead = 0;        // less than 5 % of the mean
  int hot = 0;         // more than `kHot` times the mean

  friend bool operator==(const LoadMetrics&, const LoadMetrics&) = default;
};

inline constexpr double kDead = 0.05;
inline constexpr double kHot = 4;

// No tokens: even, and every expert dead.
LoadMetrics measure_load(std::span<const int> counts);
LoadMetrics measure_load(std::span<const double> loads);

// Share of all tokens that the `top` busiest experts take.
double top_share(std::span<const int> counts, int top);
double top_share(std::span<const double> loads, int top);

// The auxiliary load-balancing loss experts x sum_e f_e P_e (Switch Transformer, 2101.03961,
// eq. 4): f the share of routed tokens, P the mean router probability. 1 when even.
double balance_loss(std::span<const int> counts, std::span<const float> inclusion);

}  // namespace moesim
