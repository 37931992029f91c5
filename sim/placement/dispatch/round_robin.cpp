// The tokens of an expert take its replicas in turn.
#include "sim/placement/dispatch/fixed_shares.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

std::unique_ptr<DispatchPolicy> round_robin(const Placement& p, const DispatchSettings&) {
  return std::make_unique<FixedShares>(p, even_shares(p),
                                       std::vector<int>(static_cast<std::size_t>(p.gpus), 0),
                                       Choice::in_turn);
}

}  // namespace moesim::dispatch
