#include "sim/scenario/fields.hpp"
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
          field(MOESIM_KEY(architecture), "Kernel generation").one_of([] {
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
                "NVLink (or PCIe) bandwidth per GPU and direction")
              .above(0)
              .required(),
          field(MOESIM_KEY(nvlink_latency), "Latency between two GPUs of a node").range(0),
          field(MOESIM_KEY(nics), "NICs per node").range(0, 1024),
          field(MOESIM_KEY(nic_bandwidth), "Bandwidth per NIC and direction").range(0),
          field(MOESIM_KEY(nic_latency), "Latency from NIC to switch").range(0),
          field(MOESIM_KEY(price), "Price per node").range(0),
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
          field(MOESIM_KEY(fabric), "How nodes are wired (`moesim list fabrics`)"),
          field(MOESIM_KEY(oversubscription), "Leaf downlinks / uplinks").range(1, 1000),
          field(MOESIM_KEY(switch_latency), "Latency per switch").range(0),
          field(MOESIM_KEY(nodes_per_domain),
                "nvl_domain: nodes that share one NVLink switch fabric")
              .range(0, 1 << 20),
          field(MOESIM_KEY(nvlink_forwarding),
                "rails: cross over inside the node to the right rail"),
          table(MOESIM_KEY(gpu), "The GPU", gpu_fields()),
          table(MOESIM_KEY(node), "The node", node_fields()),
      }};
  return fields;
}

}  // namespace moesim
