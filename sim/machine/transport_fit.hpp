// What a transport costs beyond its bytes over the links' bandwidth, as fitted to measurements.
#pragma once

#include <string>

#include "sim/base/provenance.hpp"
#include "sim/base/units.hpp"

namespace moesim {

// time = fixed + per_doubling * log2(ranks) + bytes / (bandwidth * efficiency)
struct TransportCost {
  Seconds fixed{0};
  Seconds per_doubling{0};        // of the number of ranks
  double local_efficiency = 1;    // of the NVLink bandwidth
  double network_efficiency = 1;  // of the NIC bandwidth

  friend bool operator==(const TransportCost&, const TransportCost&) = default;
};

struct TransportFit {
  std::string name;
  TransportCost dispatch;
  TransportCost combine;
  Provenance provenance = Provenance::assumed;

  friend bool operator==(const TransportFit&, const TransportFit&) = default;
};

}  // namespace moesim
