// One-node collectives: the published curves thinned to every second size, and the error on the
// sizes left out.
#pragma once

#include <string>
#include <vector>

#include "sim/machine/collective_curves.hpp"

namespace moesim::network_fit {

// Newest version of each system; NCCL's collectives in half precision, and the engines' own
// all-reduce inside CUDA graphs as library "custom".
std::vector<CollectiveCurve> read_measured_curves(const std::string& folder);

// Every second point, first and last included.
std::vector<CollectiveCurve> thinned(const std::vector<CollectiveCurve>& measured);

// |read / measured - 1| at the points that thinning left out, sorted.
std::vector<double> curve_errors(const std::vector<CollectiveCurve>& thin,
                                 const std::vector<CollectiveCurve>& measured,
                                 const std::string& library, const std::string& op);

}  // namespace moesim::network_fit
