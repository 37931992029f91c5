// The published tables as samples: what moved, between how many GPUs, how long it took.
#pragma once

#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim::network_fit {

// One all-to-all of a balanced router, reduced to what the formula of TransportCost needs.
struct Sample {
  std::string name;  // "deepep_normal/h100_sxm"
  std::string op;    // dispatch, combine
  int ranks = 0;
  int domains = 0;
  double experts_per_rank = 0;
  Bytes row{0};
  int sms = 20;
  Seconds local{0};    // busiest GPU's bytes over the full NVLink bandwidth
  Seconds network{0};  // over the full NIC bandwidth
  Seconds latency{0};
  Seconds measured{0};
  bool held_out = false;
};

// Every table under `folder` that holds all-to-alls of an EP library. What is held out is
// decided here, table by table, before any fit: whole rank counts and every third size.
std::vector<Sample> read_samples(const std::string& folder);

// Of tables that no fit ever saw but that hold an operation of a shipped transport; `name` is
// the transport they are to be predicted by.
std::vector<Sample> read_unfitted(const std::string& folder);

}  // namespace moesim::network_fit
