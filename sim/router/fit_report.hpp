// How well a fitted router describes tokens it has not seen.
#pragma once

#include <string>

#include "sim/router/fit.hpp"

namespace moesim {

// A quantity of the data beside the same of the fit.
struct DataAndFit {
  double data = 0;
  double fit = 0;
};

struct FitReport {
  double log_likelihood = 0;  // held out, nats per token and layer
  double independent = 0;     // the same with one class: what the classes are worth
  double marginal_error = 0;  // sum |fit - data| / sum data over all experts
  DataAndFit coactivation;    // mutual information of two experts of a token, nats
  DataAndFit interlayer;      // of its experts in neighbouring layers, nats
};

// `held_out` must be joined for all but marginal_error, which else is all there is. Mutual
// information of data is less what mismatched tokens show: the bias of a finite sample.
FitReport judge(const FittedRouter& fit, const TokenTrace& held_out);

// A few lines for people.
std::string to_text(const FitReport& report);

}  // namespace moesim
