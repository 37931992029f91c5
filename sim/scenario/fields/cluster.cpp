#include "sim/base/registry.hpp"
#include "sim/scenario/fields.hpp"
#include "topology/fabric.hpp"
#include "topology/options.hpp"

namespace moesim {

namespace {

const FieldTable& gpu_fields() {
  using O = GpuSpec;
  static const FieldTable fields{
      "One GPU type as its datasheet has it; rates are dense, without sparsity.",
      "",
      {
          field(MOESIM_KEY(name), "Key of its kernel profiles: \"h200-sxm\"").required(),
          field(MOESIM_KEY(architecture), "Kernel generation").required().one_of([] {
            return Names{"ampere", "ada", "hopper", "blackwell"};
          }),
          field(MOESIM_KEY(memory), "Memory").above(0).required(),
          field(MOESIM_KEY(memory_bandwidth), "Memory bandwidth").above(0).required(),
          field(MOESIM_KEY(bf16_flops), "Peak bf16 flops").above(0).required(),
          field(MOESIM_KEY(fp8_flops), "Peak fp8 flops; 0: not supported").range(0),
          field(MOESIM_KEY(fp4_flops), "Peak fp4 flops; 0: not supported").range(0),
          field(MOESIM_KEY(int8_flops), "Peak int8 operations; 0: not supported").range(0),
          field(MOESIM_KEY(sms), "Streaming multiprocessors").range(0, 4096),
          field(MOESIM_KEY(power), "Power at full load").range(0),
          field(MOESIM_KEY(idle_power), "Power when idle").range(0),
      }};
  return fields;
}

const FieldTable& node_fields() {
  using O = NodeSpec;
  static const FieldTable fields{
      "One node: its GPUs, what joins them, and its NICs.",
      "",
      {
          field(MOESIM_KEY(gpus), "GPUs per node").range(1, 1024),
          field(MOESIM_KEY(nvlink_bandwidth),
                "NVLink bandwidth per GPU and direction; 0: PCIe only")
              .range(0)
              .required(),
          field(MOESIM_KEY(nvlink_latency), "Latency between two GPUs of a node").range(0),
          field(MOESIM_KEY(pcie_bandwidth), "PCIe bandwidth per GPU and direction")
              .above(0)
              .unset("never the bottleneck"),
          field(MOESIM_KEY(pcie_latency), "Latency between two GPUs of a node without NVLink")
              .range(0),
          field(MOESIM_KEY(nics), "NICs per node").range(0, 1024),
          field(MOESIM_KEY(nic_bandwidth), "Bandwidth per NIC and direction").range(0),
          field(MOESIM_KEY(nic_latency), "Latency from NIC to switch").range(0),
          field(MOESIM_KEY(price), "Price per node").range(0),
      }};
  return fields;
}

const FieldTable& group_fields() {
  using O = NodeGroupOptions;
  static const FieldTable fields{
      "Nodes of one kind in a mixed cluster; the groups replace gpu, node and nodes.",
      "systems",
      {
          field(MOESIM_KEY(name), "Name in reports"),
          field(MOESIM_KEY(nodes), "Nodes of this kind").range(1, 1 << 20),
          table(MOESIM_KEY(gpu), "The GPU", gpu_fields()).required(),
          table(MOESIM_KEY(node), "The node", node_fields()).required(),
      },
      true};
  return fields;
}

const FieldTable& cable_fields() {
  using O = CableOptions;
  static const FieldTable fields{
      "A cable of fabric = \"explicit\", both directions.",
      "",
      {
          field(MOESIM_KEY(name), "Name in reports; FROM-TO if not given"),
          field(MOESIM_KEY(from), "An end: node3.nic1, node3.gpu2 or the name of a switch")
              .required(),
          field(MOESIM_KEY(to), "The other end").required(),
          field(MOESIM_KEY(bandwidth), "Bandwidth per direction").above(0).required(),
          field(MOESIM_KEY(latency), "Latency").range(0),
      }};
  return fields;
}

}  // namespace

const FieldTable& cluster_fields() {
  using O = ClusterOptions;
  static const FieldTable fields{
      "What machines, how many, how they are wired.",
      "systems",
      {
          field(MOESIM_KEY(nodes), "Nodes").range(1, 1 << 20),
          field(MOESIM_KEY(fabric), "How nodes are wired (`moesim list fabrics`)").suggest([] {
            Names names = names_of(fabrics());
            names.emplace_back("import");
            return names;
          }),
          field(MOESIM_KEY(oversubscription), "Leaf downlinks / uplinks").range(1, 1000),
          field(MOESIM_KEY(switch_latency), "Latency per switch").range(0),
          field(MOESIM_KEY(nodes_per_leaf), "Nodes under one leaf switch")
              .range(1, 1 << 20)
              .unset("all that there are"),
          field(MOESIM_KEY(spines), "Spine switches")
              .range(1, 1 << 20)
              .unset("as many as a leaf has uplinks of NIC speed"),
          field(MOESIM_KEY(ecmp), "hash: a flow stays on one spine; adaptive: over all")
              .one_of([] {
                return Names{"hash", "adaptive"};
              }),
          field(MOESIM_KEY(k), "fat_tree: ports per switch of a k-ary tree")
              .range(2, 1024)
              .unset("a leaf/spine tree"),
          field(MOESIM_KEY(nodes_per_router), "dragonfly: nodes at one router")
              .range(1, 1 << 16),
          field(MOESIM_KEY(routers_per_group), "dragonfly: routers of one group")
              .range(1, 1 << 16),
          field(MOESIM_KEY(nodes_per_domain),
                "nvl_domain: nodes that share one NVLink switch fabric")
              .range(0, 1 << 20),
          field(MOESIM_KEY(nvlink_forwarding),
                "rails: cross over inside the node to the right rail"),
          field(MOESIM_KEY(file), "import: the topology file to read"),
          table(MOESIM_KEY(gpu), "The GPU", gpu_fields()).required_unless("group"),
          table(MOESIM_KEY(node), "The node", node_fields()).required_unless("group"),
          tables("group", &O::groups, "Nodes of one kind in a mixed cluster", group_fields()),
          tables("link", &O::links, "explicit: a cable", cable_fields()),
      }};
  return fields;
}

}  // namespace moesim
