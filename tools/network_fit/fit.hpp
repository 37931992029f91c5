// The parameters of TransportCost that miss the measured times least.
#pragma once

#include <span>
#include <vector>

#include "tools/network_fit/tables.hpp"
#include "sim/machine/transport_fit.hpp"

namespace moesim::network_fit {

Seconds predict(const TransportCost& cost, const Sample& sample);

// Least mean |log(predicted / measured)| over the samples that are not held out, by downhill
// simplex (Nelder and Mead 1965) from a fixed start: deterministic. Parameters that nothing in
// the samples can tell are left at their start.
TransportCost fit(std::span<const Sample> samples);

// Of |predicted / measured - 1| over the held-out samples, or over all where none is held out.
struct Errors {
  int points = 0;
  double median = 0;
  double p90 = 0;
};
Errors held_out_errors(const TransportCost& cost, std::span<const Sample> samples);

// One fit per name and op, sorted by name.
std::vector<TransportRecord> fit_all(const std::vector<Sample>& samples);

}  // namespace moesim::network_fit
