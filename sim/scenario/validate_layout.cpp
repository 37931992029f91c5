// Whether model, placement and serving can be spread over the cluster's GPUs.
#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"
#include "sim/serving/pools.hpp"
#include "topology/cluster.hpp"

namespace moesim {

namespace {

constexpr std::int64_t kMostGpus = 1 << 20;

std::string gpus_text(const ClusterOptions& c) {
  std::string sum;
  for (const NodeKind& kind : node_kinds(c)) {
    sum += fmt::format("{}{} nodes x {} GPUs", sum.empty() ? "" : " + ", kind.nodes,
                       kind.node.gpus);
  }
  return fmt::format("{} = {} GPUs", sum, gpu_count(c));
}

std::string nodes_key(const ClusterOptions& c) {
  return c.groups.empty() ? "cluster.nodes" : "cluster.group";
}

// True if the GPUs can be divided as asked.
bool check_gpus(const Scenario& s, Contradictions& tell) {
  const ServingOptions& v = s.serving;
  const std::int64_t gpus = gpu_count(s.cluster);
  const std::string nodes = nodes_key(s.cluster), total = gpus_text(s.cluster);
  if (gpus > kMostGpus) {
    tell.error({nodes, "cluster.node.gpus"}, total + " are too many",
               fmt::format("at most {} GPUs", kMostGpus));
    return false;
  }
  if (gpus % v.instances != 0) {
    tell.error({"serving.instances", nodes},
               fmt::format("{} cannot be shared evenly by {} instances", total, v.instances),
               "GPUs = instances x pp x dp x tp");
    return false;
  }
  const std::int64_t instance = gpus / v.instances;
  if (instance % v.pp != 0) {
    tell.error({"serving.pp", nodes},
               fmt::format("{}, {} per instance: they do not divide into {} pipeline stages",
                           total, instance, v.pp),
               "GPUs = instances x pp x dp x tp");
    return false;
  }
  const std::int64_t each = instance / v.pp;
  const std::string of = v.pp > 1 ? "stage" : "instance";
  if (each % v.tp != 0) {
    tell.error({"serving.tp", nodes},
               fmt::format("{}, {} per {}: they do not divide into attention ranks of {}",
                           total, each, of, v.tp),
               "GPUs = instances x pp x dp x tp");
    return false;
  }
  if (v.dp > 0 && std::int64_t{v.dp} * v.tp != each) {
    const std::string stages = v.pp > 1 ? fmt::format(" of {} stages", v.pp) : "";
    tell.error({"serving.dp", "serving.tp", nodes},
               fmt::format("dp {} x tp {} = {} GPUs per {}, but there are {} ({} over {} "
                           "instances{})",
                           v.dp, v.tp, std::int64_t{v.dp} * v.tp, of, each, total, v.instances,
                           stages),
               fmt::format("dp = {}, or leave it out", each / v.tp));
    return false;
  }
  if (v.ep > 0 && each % v.ep != 0) {
    tell.error({"serving.ep", "serving.tp", nodes},
               fmt::format("an EP group of {} GPUs does not divide the {} of {} {}", v.ep, each,
                           v.pp > 1 ? "a" : "an", of),
               fmt::format("ep = {}: dp x tp GPUs share the experts", each));
    return false;
  }
  return true;
}

void check_attention_ranks(const Scenario& s, Contradictions& tell) {
  const int tp = s.serving.tp;
  if (s.model.attention.heads % tp != 0) {
    tell.error({"serving.tp", "model.attention.heads"},
               fmt::format("{} attention heads do not divide over tp = {} GPUs",
                           s.model.attention.heads, tp),
               "model.attention.heads = a multiple of serving.tp");
  }
  for (const NodeKind& kind : node_kinds(s.cluster)) {
    const std::int64_t domain =
        std::int64_t{kind.node.gpus} * std::max(1, s.cluster.nodes_per_domain);
    if (tp <= domain) continue;
    tell.warning({"serving.tp", kind.key + ".node.gpus"},
                 fmt::format("attention ranks of {} GPUs span nodes of {}: the all-reduces of "
                             "every layer cross the network",
                             tp, kind.node.gpus),
                 "serving.tp <= GPUs per node");
  }
}

// True when every node has the links that it needs.
bool check_network(const Scenario& s, Contradictions& tell) {
  bool sound = true;
  const ClusterOptions& c = s.cluster;
  const auto kinds = node_kinds(c);
  std::int64_t nodes = 0;
  for (const NodeKind& kind : kinds) nodes += kind.nodes;
  for (const NodeKind& kind : kinds) {
    if (kind.node.gpus > 1 && kind.node.nvlink_bandwidth.value <= 0 &&
        kind.node.pcie_bandwidth.value <= 0) {
      tell.error({kind.key + ".node.nvlink_bandwidth", kind.key + ".node.pcie_bandwidth"},
                 fmt::format("the {} GPUs of a node have no link between them", kind.node.gpus),
                 "an nvlink_bandwidth or a pcie_bandwidth above 0");
      sound = false;
    }
    if (nodes <= std::max(1, c.nodes_per_domain) || c.fabric == "explicit" ||
        c.fabric == "import") {
      continue;
    }
    if (kind.node.nics >= 1 && kind.node.nic_bandwidth.value > 0) continue;
    tell.error({kind.key + ".node.nics", kind.key + ".node.nic_bandwidth", nodes_key(c)},
               fmt::format("{} nodes, but no NICs between them", nodes),
               "nics >= 1 with a nic_bandwidth above 0");
    sound = false;
  }
  return sound;
}

// The key of [cluster] that a fault of the fabric speaks of.
std::string key_in(const Diagnostic& fault) {
  for (const char* key :
       {"nodes_per_domain", "nodes_per_router", "routers_per_group", "nodes_per_leaf",
        "oversubscription", "ecmp", "spines", "links", "switch_latency"}) {
    const std::string name = std::string("cluster.") + key;
    if ((fault.message + fault.expected).find(name) != std::string::npos) return name;
  }
  return "cluster.fabric";
}

// Only the fabric itself knows what it can be built of.
void check_fabric(const Scenario& s, Contradictions& tell) {
  try {
    static_cast<void>(build_cluster(s.cluster));
  } catch (const InputError& error) {
    for (const Diagnostic& fault : error.diagnostics()) {
      tell.error({key_in(fault), "cluster.fabric"}, fault.message, fault.expected, fault.hint);
    }
  }
}

}  // namespace

std::vector<NodeKind> node_kinds(const ClusterOptions& c) {
  std::vector<NodeKind> kinds;
  if (c.groups.empty()) kinds.push_back({c.gpu, c.node, c.nodes, "cluster"});
  for (std::size_t i = 0; i < c.groups.size(); ++i) {
    const NodeGroupOptions& group = c.groups[i];
    kinds.push_back({group.gpu, group.node, group.nodes, fmt::format("cluster.group[{}]", i)});
  }
  return kinds;
}

std::vector<NodeKind> node_kinds(const ClusterOptions& cluster, const Pool& pool) {
  const int end = pool.first_gpu + pool.parallel.instances * pool.parallel.gpus;
  std::vector<NodeKind> out;
  int first = 0;
  for (const NodeKind& kind : node_kinds(cluster)) {
    const int next = first + kind.nodes * kind.node.gpus;
    if (first < end && next > pool.first_gpu) out.push_back(kind);
    first = next;
  }
  return out;
}

std::int64_t gpu_count(const ClusterOptions& cluster) {
  std::int64_t count = 0;
  for (const NodeKind& kind : node_kinds(cluster)) {
    count += std::int64_t{kind.nodes} * kind.node.gpus;
  }
  return count;
}

void validate_network(const Scenario& s, Contradictions& tell) {
  if (check_network(s, tell)) check_fabric(s, tell);
}

bool validate_layout(const Scenario& s, Contradictions& tell) {
  const bool sound = check_gpus(s, tell);
  check_attention_ranks(s, tell);
  if (s.serving.max_tokens_per_step < s.serving.max_batch) {
    tell.error({"serving.max_tokens_per_step", "serving.max_batch"},
               fmt::format("a step of {} tokens cannot decode a batch of {} requests",
                           s.serving.max_tokens_per_step, s.serving.max_batch),
               "serving.max_tokens_per_step >= serving.max_batch");
  }
  return sound;
}

}  // namespace moesim
