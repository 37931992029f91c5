#include "sim/serving/layer_costs.hpp"

#include <algorithm>

#include "calibrate/profile.hpp"

namespace moesim {

namespace {

// Heads of one GPU; a rank with more GPUs than KV heads keeps copies of them.
int per_gpu(int heads, int tp) { return std::max(1, heads / tp); }

AttentionConfig core_config(const ModelShape& model, int tp) {
  const AttentionShape& a = model.attention;
  AttentionConfig c;
  c.heads = per_gpu(a.heads, tp);
  c.kv_cache = model.kv_cache;
  if (a.kind == AttentionKind::mla) {
    c.kind = AttentionConfig::Kind::mla;
    c.kv_lora_rank = a.kv_lora_rank;
    c.rope_dim = a.qk_rope_dim;
    c.nope_dim = a.qk_nope_dim;
    c.v_dim = a.v_head_dim;
  } else {
    c.kind = AttentionConfig::Kind::gqa;
    c.kv_heads = per_gpu(a.kv_heads, tp);
    c.head_dim = a.head_dim;
  }
  return c;
}

Seconds sum_at(const std::vector<GemmCurve>& curves, double rows) {
  Seconds total{0};
  for (const GemmCurve& curve : curves) total += curve.time(rows);
  return total;
}

}  // namespace

LayerCosts::LayerCosts(const ModelShape& model, const Parallelism& parallel,
                       const CostModel& costs)
    : model_(model), parallel_(parallel), costs_(&costs) {
  origin_.provenance = Provenance::measured;
  prepare_attention();
  prepare_kinds();
  const double tp = parallel.tp;
  const double up = model.gated ? 2 : 1;  // gate and up run as one GEMM
  const Dtype ffn = ffn_dtype(model);
  if (model.dense_layers > 0 || model.experts == 0) {
    dense_.push_back(gemm(up * model.dense_intermediate / tp, model.hidden, ffn));
    dense_.push_back(gemm(model.hidden, model.dense_intermediate / tp, ffn));
  }
  if (model.shared_intermediate > 0) {
    shared_.push_back(gemm(up * model.shared_intermediate / tp, model.hidden, ffn));
    shared_.push_back(gemm(model.hidden, model.shared_intermediate / tp, ffn));
  }
  head_ = gemm(model.vocab / tp, model.hidden, Dtype::bf16);
}

GemmCurve LayerCosts::gemm(double n, double k, Dtype dtype) {
  GemmCurve curve = costs_->gemm(n, k, dtype);
  origin_.provenance = worst(origin_.provenance, curve.origin().provenance);
  origin_.error = std::max(origin_.error, curve.origin().error);
  return curve;
}

void LayerCosts::prepare_attention() {
  const AttentionShape& a = model_.attention;
  const double hidden = model_.hidden;
  const double heads = per_gpu(a.heads, parallel_.tp);
  const Dtype dtype = model_.attention_weights;
  const Dtype output = output_dtype(model_);
  if (a.kind == AttentionKind::mla) {
    // DeepSeek-V2 report (2405.04434) section 2.1. The down-projections are not sharded.
    const double query_rank = a.q_lora_rank;
    const double kv_down = a.kv_lora_rank + a.qk_rope_dim;
    projections_.push_back(gemm(query_rank + kv_down, hidden, dtype));
    const double query = heads * (a.qk_nope_dim + a.qk_rope_dim);
    projections_.push_back(gemm(query, query_rank > 0 ? query_rank : hidden, dtype));
    projections_.push_back(gemm(hidden, heads * a.v_head_dim, output));
    // Decodes absorb this one; AttentionCurve::decode has that.
    expand_ = gemm(heads * (a.qk_nope_dim + a.v_head_dim), a.kv_lora_rank, dtype);
    if (a.index_heads > 0) index_.emplace(model_, *costs_);
    return;
  }
  const double kv_heads = per_gpu(a.kv_heads, parallel_.tp);
  projections_.push_back(gemm((heads + 2 * kv_heads) * a.head_dim, hidden, dtype));
  projections_.push_back(gemm(hidden, heads * a.head_dim, output));
}

void LayerCosts::add_core(const AttentionConfig& config) {
  cores_.push_back(costs_->attention(config));
  origin_.provenance = worst(origin_.provenance, cores_.back().origin().provenance);
  origin_.error = std::max(origin_.error, cores_.back().origin().error);
}

void LayerCosts::prepare_kinds() {
  const AttentionShape& a = model_.attention;
  const AttentionConfig full = core_config(model_, parallel_.tp);
  add_core(full);
  kind_of_layer_.assign(static_cast<std::size_t>(model_.layers), 0);
  const bool windowed = a.sliding_window > 0;
  const bool linear = a.linear_layer_period > 0;
  if (!windowed && !linear) return;
  AttentionConfig other = full;
  if (linear) {
    other.kind = AttentionConfig::Kind::linear;
  } else {
    other.window = a.sliding_window;
  }
  add_core(other);
  const int period = linear ? a.linear_layer_period : a.full_layer_period;
  for (int layer = 0; layer < model_.layers; ++layer) {
    // The last layer of each period is full attention.
    const bool is_full = period > 0 && layer % period == period - 1;
    kind_of_layer_[static_cast<std::size_t>(layer)] = is_full ? 0 : 1;
  }
}

Seconds LayerCosts::attention_gemms(const RankBatch& batch, double part) const {
  const double tokens = part * batch.tokens();
  if (tokens == 0) return Seconds{0};
  Seconds total = sum_at(projections_, tokens) + costs_->norm(tokens, model_.hidden);
  if (const AttentionShape& a = model_.attention; a.qk_norm_over_heads) {
    for (const int heads : {a.heads, a.kv_heads}) {
      total += costs_->norm(tokens, per_gpu(heads, parallel_.tp) * a.head_dim);
    }
  }
  if (index_) total += index_->projections(tokens);
  for (const PrefillChunk& chunk : batch.chunks) {
    if (expand_) total += expand_->time(part * chunk.tokens + chunk.context);
  }
  return total;
}

Seconds LayerCosts::attention_core(const RankBatch& batch, std::size_t kind,
                                   double part) const {
  const AttentionCurve& core = cores_[kind];
  Seconds total = index_ ? index_->scores(batch, part) : Seconds{0};
  if (batch.decodes > 0) {
    const double context =
        index_ ? index_->kept_context(batch) : batch.decode_context / batch.decodes;
    total += core.decode(part * batch.decode_tokens, context);
  }
  for (const PrefillChunk& chunk : batch.chunks) {
    const double tokens = part * chunk.tokens;
    const double context = chunk.context + (1 - part) / 2 * chunk.tokens;
    const double share = index_ ? index_->prefill_share(tokens, context) : 1;
    total += share * core.prefill(tokens, context);
  }
  return total;
}

Seconds LayerCosts::dense_ffn(double tokens) const {
  return tokens == 0 ? Seconds{0}
                     : sum_at(dense_, tokens) + costs_->norm(tokens, model_.hidden);
}

Seconds LayerCosts::shared_experts(double tokens) const {
  return tokens == 0 ? Seconds{0} : sum_at(shared_, tokens);
}

Seconds LayerCosts::router(double tokens) const {
  if (tokens == 0) return Seconds{0};
  return costs_->norm(tokens, model_.hidden) +
         costs_->router(tokens, model_.hidden, model_.experts);
}

Seconds LayerCosts::permute(double rows, double row_bytes) const {
  return costs_->permute(rows, row_bytes);
}

Seconds LayerCosts::ends(double tokens, double sampled) const {
  if (tokens == 0) return Seconds{0};
  Seconds total = costs_->embedding(tokens, model_.hidden);
  if (sampled > 0) total += head_->time(sampled) + costs_->sampling(sampled, model_.vocab);
  return total;
}

Seconds LayerCosts::host_overhead(double sequences, double prompt_tokens) const {
  return costs_->step_overhead(sequences).time +
         prompt_tokens * costs_->profile().host.per_prompt_token;
}

Seconds LayerCosts::layer_overhead() const { return costs_->profile().host.per_layer; }

Seconds LayerCosts::request_overhead() const {
  const HostOverhead& host = costs_->profile().host;
  const double launches = model_.attention.kind == AttentionKind::mla ? 3 : 1;
  return host.per_request + launches * model_.layers * host.per_request_layer;
}

ExpertCurve LayerCosts::experts(int slots) const {
  return costs_->experts(
      {.hidden = model_.hidden,
       .intermediate = model_.moe_intermediate / parallel_.moe_tp,
       .experts = slots,
       .top_k = model_.top_k,
       .dtype = model_.weights,
       .gated = model_.gated,
       .parallel = parallel_.dispatches || parallel_.dp > 1 ? parallel_.ep : 1});
}

}  // namespace moesim
