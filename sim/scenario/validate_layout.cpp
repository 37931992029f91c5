// Whether model, placement and serving can be spread over the cluster's GPUs, and fit in them.
#include <fmt/format.h>

#include <algorithm>

#include "sim/base/units_text.hpp"
#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"

namespace moesim {

namespace {

// True if the GPUs can be divided as asked.
bool check_gpus(const Scenario& s, Contradictions& tell) {
  const ServingOptions& v = s.serving;
  const std::int64_t gpus = std::int64_t{s.cluster.nodes} * s.cluster.node.gpus;
  const std::string total =
      fmt::format("{} nodes x {} GPUs = {}", s.cluster.nodes, s.cluster.node.gpus, gpus);
  if (gpus > 1 << 20) {
    tell.error({"cluster.nodes", "cluster.node.gpus"}, total + " GPUs are too many",
               "at most 1048576 GPUs");
    return false;
  }
  if (gpus % v.instances != 0) {
    tell.error(
        {"serving.instances", "cluster.nodes"},
        fmt::format("{} GPUs cannot be shared evenly by {} instances", total, v.instances),
        "GPUs = instances x dp x tp");
    return false;
  }
  const std::int64_t each = gpus / v.instances;
  if (each % v.tp != 0) {
    tell.error({"serving.tp", "cluster.nodes"},
               fmt::format("{} GPUs, {} per instance, do not divide into attention ranks of {}",
                           total, each, v.tp),
               "GPUs = instances x dp x tp");
    return false;
  }
  if (v.dp > 0 && std::int64_t{v.dp} * v.tp != each) {
    tell.error({"serving.dp", "serving.tp", "cluster.nodes"},
               fmt::format("dp {} x tp {} = {} GPUs per instance, but there are {} ({} over {} "
                           "instances)",
                           v.dp, v.tp, std::int64_t{v.dp} * v.tp, each, total, v.instances),
               fmt::format("dp = {}", each / v.tp));
    return false;
  }
  return true;
}

void check_experts_spread(const Scenario& s, const Layout& layout, Contradictions& tell) {
  const ServingOptions& v = s.serving;
  if (v.ep > 0 && v.ep != layout.dp * layout.tp) {
    tell.error({"serving.ep", "serving.dp", "serving.tp"},
               fmt::format("an EP group of {} GPUs, but an instance has dp {} x tp {} = {}",
                           v.ep, layout.dp, layout.tp, layout.dp * layout.tp),
               fmt::format("ep = {}", layout.dp * layout.tp));
    return;
  }
  if (s.model.experts > 0 && layout.slots % layout.ep != 0) {
    const int more = (layout.ep - layout.slots % layout.ep) + s.placement.redundant_experts;
    tell.error(
        {"placement.redundant_experts", "model.experts", "serving.ep"},
        fmt::format("{} experts + {} redundant = {} slots do not divide over an EP group "
                    "of {} GPUs",
                    s.model.experts, s.placement.redundant_experts, layout.slots, layout.ep),
        "experts + redundant_experts = a multiple of the EP group",
        fmt::format("placement.redundant_experts = {} would", more));
  }
  if (s.model.experts == 0 && s.placement.redundant_experts > 0) {
    tell.error({"placement.redundant_experts", "model.experts"},
               "a dense model has no experts to replicate", "placement.redundant_experts = 0");
  }
}

void check_attention_ranks(const Scenario& s, Contradictions& tell) {
  const int tp = s.serving.tp;
  if (s.model.attention.heads % tp != 0) {
    tell.error({"serving.tp", "model.attention.heads"},
               fmt::format("{} attention heads do not divide over tp = {} GPUs",
                           s.model.attention.heads, tp),
               "model.attention.heads = a multiple of serving.tp");
  }
  if (tp > s.cluster.node.gpus && s.cluster.nodes_per_domain * s.cluster.node.gpus < tp) {
    tell.warning(
        {"serving.tp", "cluster.node.gpus"},
        fmt::format("attention ranks of {} GPUs span nodes of {}: all-reduces of every "
                    "layer cross the network",
                    tp, s.cluster.node.gpus),
        "serving.tp <= cluster.node.gpus");
  }
}

void check_network(const Scenario& s, Contradictions& tell) {
  const ClusterOptions& c = s.cluster;
  if (c.nodes <= std::max(1, c.nodes_per_domain)) return;
  if (c.node.nics < 1 || c.node.nic_bandwidth.value <= 0) {
    tell.error({"cluster.node.nics", "cluster.node.nic_bandwidth", "cluster.nodes"},
               fmt::format("{} nodes, but no NICs between them", c.nodes),
               "cluster.node.nics >= 1 with a nic_bandwidth above 0");
  }
}

}  // namespace

Layout layout_of(const Scenario& s) {
  Layout l;
  l.gpus = s.cluster.nodes * s.cluster.node.gpus;
  l.instances = std::max(1, s.serving.instances);
  l.tp = std::max(1, s.serving.tp);
  l.dp = s.serving.dp > 0 ? s.serving.dp : std::max(1, l.gpus / l.instances / l.tp);
  l.ep = s.serving.ep > 0 ? s.serving.ep : l.dp * l.tp;
  l.slots = s.model.experts > 0 ? s.model.experts + s.placement.redundant_experts : 0;
  l.slots_per_gpu = (l.slots + l.ep - 1) / l.ep;
  return l;
}

void validate_layout(const Scenario& s, Contradictions& tell) {
  if (check_gpus(s, tell)) check_experts_spread(s, layout_of(s), tell);
  check_attention_ranks(s, tell);
  check_network(s, tell);
  if (s.serving.max_tokens_per_step < s.serving.max_batch) {
    tell.error({"serving.max_tokens_per_step", "serving.max_batch"},
               fmt::format("a step of {} tokens cannot decode a batch of {} requests",
                           s.serving.max_tokens_per_step, s.serving.max_batch),
               "serving.max_tokens_per_step >= serving.max_batch");
  }
}

MemoryPlan memory_plan(const Scenario& s) {
  const Layout layout = layout_of(s);
  MemoryPlan plan;
  plan.usable = s.cluster.gpu.memory * s.serving.memory_fraction;
  plan.experts = static_cast<double>(moe_layer_count(s.model)) * layout.slots_per_gpu *
                 expert_bytes(s.model);
  plan.resident = resident_bytes(s.model) / layout.tp;
  const AttentionShape& a = s.model.attention;
  // KV heads are split over tp; the compressed KV of MLA has no heads to split.
  const int shards = a.kind == AttentionKind::gqa ? std::min(layout.tp, a.kv_heads) : 1;
  const double tokens = s.traffic.input_tokens.mean.value + s.traffic.output_tokens.mean.value;
  plan.kv_sequence = kv_bytes(s.model, tokens) / std::max(1, shards);
  return plan;
}

void validate_memory(const Scenario& s, Contradictions& tell) {
  const MemoryPlan plan = memory_plan(s);
  const Layout layout = layout_of(s);
  const Bytes weights = plan.experts + plan.resident;
  const std::string parts =
      fmt::format("{} of experts ({} per layer) + {} of attention, dense parts and embeddings",
                  to_display(plan.experts), layout.slots_per_gpu, to_display(plan.resident));
  const std::string room = fmt::format("{:.0f} % of {}", s.serving.memory_fraction * 100,
                                       to_display(s.cluster.gpu.memory));
  if (weights > plan.usable) {
    tell.error({"model.weights", "cluster.gpu.memory", "cluster.nodes", "serving.tp"},
               fmt::format("the weights do not fit: {} per GPU ({}) into {} ({})",
                           to_display(weights), parts, to_display(plan.usable), room),
               "more GPUs per instance, a larger serving.tp, fewer redundant experts or a "
               "smaller number format");
    return;
  }
  if (plan.kv() < plan.kv_sequence) {
    tell.error({"cluster.gpu.memory", "traffic.input_tokens.mean", "model.weights"},
               fmt::format("beside {} of weights ({}), {} are left for the KV cache, less than "
                           "the {} of one request of mean length",
                           to_display(weights), parts, to_display(plan.kv()),
                           to_display(plan.kv_sequence)),
               "room for a request: more GPUs, a smaller number format, shorter requests");
    return;
  }
  const double held = plan.kv() / plan.kv_sequence;
  if (held < s.serving.max_batch) {
    tell.warning({"serving.max_batch", "cluster.gpu.memory"},
                 fmt::format("the KV cache holds about {:.0f} requests of mean length per "
                             "attention rank, fewer than max_batch {}",
                             held, s.serving.max_batch),
                 "memory, not max_batch, will limit the batch");
  }
}

}  // namespace moesim
