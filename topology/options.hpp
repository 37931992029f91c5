// The [cluster] section: what machines, how many, how they are wired.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

// One GPU type as its datasheet has it. Rates are dense, without sparsity.
struct GpuSpec {
  std::string name;          // key of kernel profiles: "h200-sxm"
  std::string architecture;  // "ampere", "ada", "hopper", "blackwell"
  Bytes memory{0};
  BytesPerSecond memory_bandwidth{0};
  FlopsPerSecond bf16_flops{0};
  FlopsPerSecond fp8_flops{0};   // 0: not supported
  FlopsPerSecond fp4_flops{0};   // 0: not supported
  FlopsPerSecond int8_flops{0};  // operations per second
  int sms = 0;
  Watts power{0};
  Watts idle_power{0};

  friend bool operator==(const GpuSpec&, const GpuSpec&) = default;
};

struct NodeSpec {
  int gpus = 8;
  BytesPerSecond nvlink_bandwidth{0};  // per GPU and direction
  Seconds nvlink_latency{1e-6};        // GPU to GPU
  BytesPerSecond pcie_bandwidth{0};    // per GPU and direction; 0: never the bottleneck
  Seconds pcie_latency{1e-6};          // GPU to GPU of a node without NVLink
  int nics = 8;
  BytesPerSecond nic_bandwidth{0};  // per NIC and direction
  Seconds nic_latency{2e-6};        // NIC to switch
  DollarsPerSecond price{0};        // per node

  friend bool operator==(const NodeSpec&, const NodeSpec&) = default;
};

// One [[cluster.group]]: nodes of one kind in a mixed cluster.
struct NodeGroupOptions {
  std::string name;
  GpuSpec gpu;
  NodeSpec node;
  int nodes = 1;

  friend bool operator==(const NodeGroupOptions&, const NodeGroupOptions&) = default;
};

// One [[cluster.link]] of fabric = "explicit": a cable, both directions. An end is
// "node3.nic1", "node3.gpu2" or the name of a switch, which exists by being named.
struct CableOptions {
  std::string name;  // empty: "FROM-TO"
  std::string from;
  std::string to;
  BytesPerSecond bandwidth{0};  // per direction
  Seconds latency{0};

  friend bool operator==(const CableOptions&, const CableOptions&) = default;
};

struct ClusterOptions {
  GpuSpec gpu;
  NodeSpec node;
  int nodes = 1;
  std::vector<NodeGroupOptions> groups;  // mixed clusters: replaces gpu, node and nodes
  std::string fabric = "rail_optimized";
  double oversubscription = 1;    // leaf to spine
  Seconds switch_latency{5e-7};   // per hop
  int nodes_per_leaf = 0;         // 0: all that there are
  int spines = 0;                 // 0: as many as a leaf has uplinks of NIC speed
  std::string ecmp = "hash";      // hash: a flow stays on one spine; adaptive: spread over all
  int k = 0;                      // fat_tree: ports per switch of a k-ary tree; 0: leaf/spine
  int nodes_per_domain = 0;       // nvl_domain: nodes that share one NVLink switch fabric
  bool nvlink_forwarding = true;  // rails: cross over inside the node to the right rail
  int nodes_per_router = 1;       // dragonfly
  int routers_per_group = 4;      // dragonfly
  std::vector<CableOptions> links;  // explicit
  std::string file;                 // import: the topology file to read

  friend bool operator==(const ClusterOptions&, const ClusterOptions&) = default;
};

}  // namespace moesim
