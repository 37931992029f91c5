// How wrong a model is on points that it has not seen.
#pragma once

#include <string>
#include <vector>

namespace moesim {

struct ErrorSummary {
  double median = 0;  // of |predicted / measured - 1|
  double p90 = 0;
  double bias = 0;  // median of predicted / measured - 1
  int points = 0;

  friend bool operator==(const ErrorSummary&, const ErrorSummary&) = default;
};

struct HeldOut {
  std::string method;  // "one model shape left out", "every other grid point left out"
  ErrorSummary all;
  ErrorSummary small, middle, large;  // by tokens: <= 32, 33..1024, > 1024

  friend bool operator==(const HeldOut&, const HeldOut&) = default;
};

// One prediction of a point that was left out; `size` in tokens.
struct HeldOutPoint {
  double size = 0;
  double predicted = 0;
  double measured = 0;
};

HeldOut summarize_held_out(std::string method, const std::vector<HeldOutPoint>& points);

// The value below which a share of the values lies; 0 of none. Reorders its argument's copy.
double quantile(std::vector<double> values, double share);

}  // namespace moesim
