#include "sim/placement/dispatch.hpp"

#include <array>

#include "sim/placement/dispatch/policies.hpp"

namespace moesim {

namespace {

constexpr std::array kPolicies = {
    Entry<MakeDispatch>{"nearest", "own GPU, else own node, else any replica",
                        dispatch::nearest},
    Entry<MakeDispatch>{"random", "each token draws a replica", dispatch::random},
    Entry<MakeDispatch>{"round_robin", "tokens take the replicas in turn",
                        dispatch::round_robin},
    Entry<MakeDispatch>{"gather", "a node the token visits anyway, else any replica",
                        dispatch::gather},
    Entry<MakeDispatch>{"lp", "least busy GPU possible for the step's counts", dispatch::lp},
    Entry<MakeDispatch>{"min_active", "fewest active experts on a GPU", dispatch::min_active},
    Entry<MakeDispatch>{"spill", "hot GPUs hand tokens and weights to idle ones",
                        dispatch::spill},
    Entry<MakeDispatch>{"balanced", "oracle: every GPU gets the mean", dispatch::balanced},
    Entry<MakeDispatch>{"lower_bound", "oracle: the best any placement could do",
                        dispatch::lower_bound},
};

}  // namespace

void DispatchPolicy::learn(int, const TokenView&) {}

void DispatchPolicy::token_shares(int, std::span<const std::uint16_t>,
                                  std::vector<SlotShare>& out) const {
  out.clear();
}

void DispatchPolicy::set_sources(std::span<const double>) {}

std::span<const Entry<MakeDispatch>> dispatch_policies() { return kPolicies; }

std::unique_ptr<DispatchPolicy> make_dispatch(std::string_view name, const Placement& placement,
                                              const DispatchSettings& settings) {
  return find_entry(dispatch_policies(), name, "dispatch policy").make(placement, settings);
}

}  // namespace moesim
