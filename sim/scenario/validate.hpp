// What no single key can say: whether the values fit together.
#pragma once

#include "sim/base/diagnostics.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

struct Pool;

// Every kind of node in the cluster, and the keys that describe it: one for [cluster.gpu], or
// one per [[cluster.group]].
struct NodeKind {
  const GpuSpec& gpu;
  const NodeSpec& node;
  int nodes;
  std::string key;  // "cluster" or "cluster.group[1]"
};
std::vector<NodeKind> node_kinds(const ClusterOptions& cluster);
// Those of the pool's GPUs.
std::vector<NodeKind> node_kinds(const ClusterOptions& cluster, const Pool& pool);

std::int64_t gpu_count(const ClusterOptions& cluster);

// Expert slots of a layer on one EP rank: experts and redundant ones, rounded up.
int slots_per_rank(const Scenario& scenario, int ep);

// Tells every contradiction, naming both keys and where they were set. Redundant experts that
// leave GPUs unevenly filled are rounded up, with a warning.
void validate(Scenario& scenario, Diagnostics& diagnostics);

}  // namespace moesim
