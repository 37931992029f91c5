// The all-to-all of NCCL that a user's own measurement has: what the transport "nccl" is then
// priced by inside a domain, in place of the shipped tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/machine/transport_fit.hpp"
#include "sim/serving/cluster_costs.hpp"

namespace moesim {

// Even exchanges between two GPUs or more, of the profile of the GPU's kind; empty where the
// profile has none or was measured on another kind.
std::vector<CollectiveCurve> measured_exchanges(const ClusterCosts& costs, GpuId gpu);

// The fit of `transport` on the GPU's kind, with those curves where it is "nccl".
TransportFit transport_fit(std::string_view transport, std::string_view gpu,
                           const std::vector<CollectiveCurve>& measured);

// What became of the profile's all-to-alls: "profile my.toml: nccl between 8 GPUs". Empty where
// it has none.
struct ExchangeNote {
  std::string text;
  Provenance provenance = Provenance::measured;
};
ExchangeNote exchange_note(const ClusterCosts& costs, GpuId gpu, bool uses_nccl);

}  // namespace moesim
