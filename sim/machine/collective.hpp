// How long a collective takes: interchangeable back ends behind one seam.
//
//   bound          the busiest link's bytes over its bandwidth, plus its latency
//   fluid          every flow shares links max-min fairly, solved in windows (fluid.hpp)
//   stepped        the same in a few long steps: the makespan alone, thirty times sooner
//   auto           bound where it is exact to 2 %, stepped elsewhere
//   simgrid_links, simgrid_flows   in sim/simgrid
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "sim/base/registry.hpp"
#include "sim/machine/ledger.hpp"
#include "sim/machine/traffic.hpp"

namespace moesim {

struct Outcome {
  Seconds makespan{0};     // overhead and latency included
  LinkId busiest{-1};      // the link that carries the most work for its bandwidth; -1: none
  double utilization = 0;  // of that link, over the makespan
  // [ranks] when each rank has sent and received everything; empty where the model has no
  // answer. Valid until the next call.
  std::span<const Seconds> finish;
};

class CollectiveModel {
 public:
  virtual ~CollectiveModel() = default;

  // The collective alone on the cluster as it is now. Accounts bytes to `ledger` when given,
  // from `start` to the makespan.
  virtual Outcome time(const Traffic& traffic, LinkLedger* ledger = nullptr,
                       Seconds start = Seconds{0}) = 0;
};

using MakeCollectiveModel = std::unique_ptr<CollectiveModel> (*)();

std::span<const Entry<MakeCollectiveModel>> collective_models();
// Throws InputError that lists what there is.
std::unique_ptr<CollectiveModel> make_collective_model(std::string_view name);

}  // namespace moesim
