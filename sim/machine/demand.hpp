// What one MoE layer asks of the network: the seam between routing and placement, which know
// tokens, and transports, which know bytes.
//
// Ranks are the GPUs of one EP group, 0 .. ranks-1. Sources that see the same mix of tokens and
// the same replicas share one row of the shares (all of a node under `nearest` dispatch), so a
// 64-GPU layer is 8 rows, not 64; and rows differ only where replicas are near.
#pragma once

#include <vector>

#include "sim/base/units.hpp"
#include "sim/machine/share_rows.hpp"

namespace moesim {

// How much of a demand is asked for: each includes those before.
enum class DemandShares { assignments, ranks, nodes };

struct DispatchDemand {
  int ranks = 0;
  int nodes = 0;
  int groups = 0;                  // rows of the shares below
  std::vector<int> node_of_rank;   // [ranks]
  std::vector<int> group_of_rank;  // [ranks] which row a source uses
  std::vector<double> tokens;      // [ranks] tokens that each source sends
  // Of one token of a source in group s: expected number of its experts on rank g ...
  ShareRows assignments;  // [groups * ranks], each row sums to top_k
  // ... probability that at least one is on rank g; empty where no transport asks ...
  ShareRows reach_rank;  // [groups * ranks]
  // ... and that at least one is on node n; likewise.
  ShareRows reach_node;  // [groups * nodes]
};

}  // namespace moesim
