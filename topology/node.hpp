// The inside of the nodes: GPUs, NVSwitch or PCIe switch, NICs.
#pragma once

#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

struct Nodes {
  std::vector<GpuPlace> places;
  std::vector<GpuId> first_gpu;  // [nodes + 1]
  std::vector<Nic> nics;         // `up` and `down` are the fabric's to fill in
  int domains = 0;
};

// `nodes_per_domain` > 1: that many nodes share one NVSwitch.
Nodes add_nodes(std::span<const NodeGroupOptions> groups, int nodes_per_domain, Graph& graph);

}  // namespace moesim
