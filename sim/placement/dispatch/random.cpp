// Each token draws a replica, all equally likely.
#include "sim/placement/dispatch/fixed_shares.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

std::unique_ptr<DispatchPolicy> random(const Placement& p, const DispatchSettings&) {
  return std::make_unique<FixedShares>(p, even_shares(p),
                                       std::vector<int>(static_cast<std::size_t>(p.gpus), 0),
                                       Choice::by_chance);
}

}  // namespace moesim::dispatch
