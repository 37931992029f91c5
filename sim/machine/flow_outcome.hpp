// From the end of every flow to the outcome of the collective: what the models that look at
// flows share.
#pragma once

#include <span>
#include <vector>

#include "sim/machine/collective.hpp"

namespace moesim {

class FlowOutcome {
 public:
  // ends[f]: when flows[f] arrived, the overhead not counted.
  Outcome of(const Traffic& traffic, std::span<const Flow> flows, std::span<const Seconds> ends,
             LinkLedger* ledger, Seconds start);

 private:
  void find_busiest(const Cluster& cluster, Outcome& out) const;

  std::vector<Seconds> finish_;  // [ranks]
  std::vector<int> rank_of_;     // by GpuId
  std::vector<double> work_;     // [links]
};

}  // namespace moesim
