// All flows of a collective share links max-min fairly, each after its path's latency.
#pragma once

#include <vector>

#include "sim/machine/collective.hpp"
#include "sim/machine/flow_network.hpp"
#include "sim/machine/flow_outcome.hpp"

namespace moesim {

class FluidModel : public CollectiveModel {
 public:
  // `window`: rates are solved anew when this fraction of the flows has ended; 0 is exact.
  explicit FluidModel(double window = 0.01) : window_(window) {}

  Outcome time(const Traffic& traffic, LinkLedger* ledger = nullptr,
               Seconds start = Seconds{0}) override;

 private:
  struct Start {
    Seconds latency;
    std::size_t flow;  // into flows_
    std::size_t pair;  // of ranks
  };
  void route(const Traffic& traffic);
  void run(const Traffic& traffic);

  double window_;
  std::vector<Flow> flows_;
  std::vector<Start> starts_;  // by latency
  std::vector<Seconds> ends_;  // [flows] overhead not counted
  FlowOutcome outcome_;
};

}  // namespace moesim
