#include "topology/check.hpp"

#include <fmt/format.h>

#include "sim/base/diagnostics.hpp"

namespace moesim {
namespace {

void check_group(const NodeGroupOptions& group, bool alone, Diagnostics& out) {
  const std::string at = alone ? "cluster." : "cluster.group '" + group.name + "': ";
  const NodeSpec& node = group.node;
  if (group.nodes < 1)
    out.error({}, at + "nodes is " + std::to_string(group.nodes), "1 or more");
  if (node.gpus < 1)
    out.error({}, at + "node.gpus is " + std::to_string(node.gpus), "1 or more");
  if (node.nics < 0)
    out.error({}, at + "node.nics is " + std::to_string(node.nics), "0 or more");
  if (node.gpus > 1 && node.nvlink_bandwidth.value <= 0 && node.pcie_bandwidth.value <= 0) {
    out.error({}, at + "node has several GPUs and neither nvlink_bandwidth nor pcie_bandwidth",
              "a bandwidth above zero for one of them");
  }
  if (node.nics > 0 && node.nic_bandwidth.value <= 0) {
    out.error({}, at + "node.nic_bandwidth is zero", "a bandwidth above zero, or nics = 0");
  }
  const int more = std::max(node.nics, node.gpus);
  const int fewer = std::min(node.nics, node.gpus);
  if (fewer > 0 && more % fewer != 0) {
    out.error({}, fmt::format("{}node has {} GPUs and {} NICs", at, node.gpus, node.nics),
              "one count a multiple of the other");
  }
}

}  // namespace

void check_cluster(const ClusterOptions& options) {
  Diagnostics out;
  int nodes = 0;
  int without_nics = 0;
  for (const NodeGroupOptions& group : options.groups) {
    check_group(group, options.groups.size() == 1, out);
    nodes += group.nodes;
    if (group.node.nics == 0) without_nics += group.nodes;
  }
  if (nodes > 1 && without_nics > 0 && options.nodes_per_domain < nodes &&
      options.fabric != "explicit") {
    out.error({}, fmt::format("{} of {} nodes have no NIC", without_nics, nodes),
              "node.nics of 1 or more where there are several nodes");
  }
  if (!(options.oversubscription > 0)) {
    out.error({}, fmt::format("cluster.oversubscription is {}", options.oversubscription),
              "above zero: 1 is full bandwidth, 2 is half");
  }
  if (options.ecmp != "hash" && options.ecmp != "adaptive") {
    out.error({}, "cluster.ecmp is '" + options.ecmp + "'", "hash or adaptive");
  }
  out.throw_if_errors();
}

}  // namespace moesim
