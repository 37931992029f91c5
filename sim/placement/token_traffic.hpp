// What one token of a layer sends, by kind of link.
#pragma once

#include "sim/machine/demand.hpp"

namespace moesim {

// Copies of a token in one dispatch, mean over sources and tokens. Combine sends as many back.
struct TokenTraffic {
  double nodes = 0;         // nodes it reaches, its own included
  double gpus = 0;          // GPUs it reaches, its own included
  double remote_nodes = 0;  // other nodes: copies on the network with node_dedup
  double remote_gpus = 0;   // GPUs of other nodes: copies on the network pairwise
  double near_gpus = 0;     // other GPUs of its own node: copies over NVLink
  double forwarded = 0;     // node_dedup: copies over NVLink at the receiving nodes, from the
                            // GPU with the source's rail to the others

  friend TokenTraffic operator+(const TokenTraffic& a, const TokenTraffic& b);
  friend TokenTraffic operator/(const TokenTraffic& a, double n);
};

// Ranks of a node are in the order of their rails.
TokenTraffic token_traffic(const DispatchDemand& demand);

}  // namespace moesim
