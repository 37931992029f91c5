// The lower bound as a model: no flow can end before its busiest link has carried everything.
#pragma once

#include <vector>

#include "sim/machine/access.hpp"
#include "sim/machine/collective.hpp"

namespace moesim {

class BoundModel : public CollectiveModel {
 public:
  Outcome time(const Traffic& traffic, LinkLedger* ledger = nullptr,
               Seconds start = Seconds{0}) override;

 private:
  Outcome from_access(const Traffic& traffic, LinkLedger* ledger, Seconds start);
  Outcome from_flows(const Traffic& traffic, LinkLedger* ledger, Seconds start);

  AccessSums sums_;
  std::vector<double> bytes_;  // [links]
  std::vector<double> work_;   // [links]
};

}  // namespace moesim
