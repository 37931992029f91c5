// Whether the model's shape fits together.
#include <fmt/format.h>

#include <algorithm>

#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"

namespace moesim {

namespace {

void check_groups(const ModelShape& m, Contradictions& tell) {
  if (m.experts % m.expert_groups != 0) {
    tell.error(
        {"model.expert_groups", "model.experts"},
        fmt::format("{} expert groups do not divide {} experts", m.expert_groups, m.experts),
        "model.experts = a multiple of model.expert_groups");
    return;
  }
  if (m.top_groups > m.expert_groups) {
    tell.error(
        {"model.top_groups", "model.expert_groups"},
        fmt::format("a token uses {} of {} expert groups", m.top_groups, m.expert_groups),
        "model.top_groups <= model.expert_groups");
  }
}

void check_experts(const Scenario& s, Contradictions& tell) {
  const ModelShape& m = s.model;
  if (m.top_k < 1 || m.top_k > m.experts) {
    tell.error({"model.top_k", "model.experts"},
               fmt::format("a token uses {} of {} experts", m.top_k, m.experts),
               "1 <= model.top_k <= model.experts");
  }
  const int reachable = m.experts / m.expert_groups * std::min(m.top_groups, m.expert_groups);
  if (s.router.top_k > reachable) {
    tell.error({"router.top_k", "model.experts"},
               fmt::format("a token uses {} of {} experts", s.router.top_k, reachable),
               "router.top_k <= the experts that a token may use");
  } else if (m.top_k <= m.experts && m.top_k > reachable) {
    tell.error({"model.top_k", "model.top_groups"},
               fmt::format("a token uses {} experts, but its {} groups hold {}", m.top_k,
                           m.top_groups, reachable),
               "model.top_k <= experts / expert_groups x top_groups");
  }
  if (m.moe_intermediate < 1) {
    tell.error({"model.moe_intermediate", "model.experts"},
               "the model has experts, but they have no width", "model.moe_intermediate >= 1");
  }
  check_groups(m, tell);
}

void check_index(const AttentionShape& a, Contradictions& tell) {
  if (a.index_heads == 0) return;
  if (a.kind == AttentionKind::gqa) {
    tell.error({"model.attention.index_heads", "model.attention.kind"},
               "sparse attention by an indexer is known of mla alone",
               "model.attention.kind = \"mla\", or no index_heads");
  }
  const std::pair<const char*, int> needed[] = {{"index_dim", a.index_dim},
                                                {"index_top_k", a.index_top_k}};
  for (const auto& [key, value] : needed) {
    if (value > 0) continue;
    tell.error({fmt::format("model.attention.{}", key), "model.attention.index_heads"},
               fmt::format("an indexer needs {}", key),
               fmt::format("model.attention.{} >= 1", key));
  }
}

void check_attention(const AttentionShape& a, Contradictions& tell) {
  check_index(a, tell);
  if (a.kind == AttentionKind::gqa) {
    if (a.kv_heads < 1 || a.heads % a.kv_heads != 0) {
      tell.error({"model.attention.kv_heads", "model.attention.heads"},
                 fmt::format("{} KV heads do not divide {} heads", a.kv_heads, a.heads),
                 "model.attention.heads = a multiple of kv_heads");
    }
    if (a.head_dim < 1) {
      tell.error({"model.attention.head_dim", "model.attention.kind"},
                 "gqa needs the width of a head", "model.attention.head_dim >= 1");
    }
    return;
  }
  const std::pair<const char*, int> needed[] = {{"kv_lora_rank", a.kv_lora_rank},
                                                {"qk_nope_dim", a.qk_nope_dim},
                                                {"qk_rope_dim", a.qk_rope_dim},
                                                {"v_head_dim", a.v_head_dim}};
  for (const auto& [name, value] : needed) {
    if (value >= 1) continue;
    tell.error({fmt::format("model.attention.{}", name), "model.attention.kind"},
               fmt::format("mla needs {}", name), fmt::format("model.attention.{} >= 1", name));
  }
}

bool runs_on(Dtype dtype, const GpuSpec& gpu) {
  switch (dtype) {
    case Dtype::fp8:
    case Dtype::fp8_block:
      return gpu.fp8_flops.value > 0;
    case Dtype::fp4:
      return gpu.fp4_flops.value > 0;
    case Dtype::int8:
      return gpu.int8_flops.value > 0;
    case Dtype::w4a8:
      return gpu.fp8_flops.value > 0 || gpu.int8_flops.value > 0;
    case Dtype::fp32:
    case Dtype::bf16:
    case Dtype::int4:  // weights only: the GEMM itself is bf16
    case Dtype::mxfp4:
      return true;
  }
  return true;
}

void check_dtypes(const Scenario& s, Contradictions& tell) {
  std::vector<std::pair<const char*, Dtype>> used = {
      {"model.weights", s.model.weights},
      {"model.attention_weights", s.model.attention_weights}};
  if (s.model.ffn_weights) used.emplace_back("model.ffn_weights", *s.model.ffn_weights);
  if (s.model.output_weights) {
    used.emplace_back("model.output_weights", *s.model.output_weights);
  }
  for (const NodeKind& kind : node_kinds(s.cluster)) {
    std::string usable;
    for (const DtypeInfo& i : kDtypes) {
      if (runs_on(i.dtype, kind.gpu)) usable += fmt::format(" {}", i.name);
    }
    for (const auto& [key, dtype] : used) {
      if (runs_on(dtype, kind.gpu)) continue;
      tell.error({key, kind.key + ".gpu.name"},
                 fmt::format("{} does not compute in {}", kind.gpu.name, to_text(dtype)),
                 fmt::format("{} = one of{}", key, usable), fmt::format("--set {}=bf16", key));
    }
  }
}

}  // namespace

void validate_model(const Scenario& s, Contradictions& tell) {
  const ModelShape& m = s.model;
  if (m.dense_layers > m.layers) {
    tell.error({"model.dense_layers", "model.layers"},
               fmt::format("{} of {} layers are dense", m.dense_layers, m.layers),
               "model.dense_layers <= model.layers");
  }
  if (m.experts > 0) {
    check_experts(s, tell);
  } else if (m.top_k > 0) {
    tell.error({"model.top_k", "model.experts"}, "a dense model has no experts to choose from",
               "model.top_k = 0, or model.experts > 0");
  }
  if (moe_layer_count(m) < m.layers && m.dense_intermediate < 1) {
    tell.error(
        {"model.dense_intermediate", "model.layers"},
        fmt::format("{} layers are dense, but have no width", m.layers - moe_layer_count(m)),
        "model.dense_intermediate >= 1");
  }
  check_attention(m.attention, tell);
  check_dtypes(s, tell);
}

}  // namespace moesim
