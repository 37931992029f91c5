#include "sim/model/shape.hpp"

#include <algorithm>

namespace moesim {

namespace {

double ffn_params(const ModelShape& model, int intermediate) {
  return (model.gated ? 3.0 : 2.0) * model.hidden * intermediate;
}

// Of one layer, without biases. MLA as in the DeepSeek-V2 report (2405.04434, section 2.1).
double attention_params_per_layer(const ModelShape& model) {
  const AttentionShape& a = model.attention;
  const double hidden = model.hidden, heads = a.heads;
  if (a.kind == AttentionKind::gqa) {
    return hidden * a.head_dim * (2 * heads + 2.0 * a.kv_heads);  // Q and O; K and V
  }
  const double qk_dim = a.qk_nope_dim + a.qk_rope_dim;
  const double queries = a.q_lora_rank > 0
                             ? hidden * a.q_lora_rank + a.q_lora_rank * heads * qk_dim
                             : hidden * heads * qk_dim;
  const double down = hidden * (a.kv_lora_rank + a.qk_rope_dim);
  const double up = a.kv_lora_rank * heads * (a.qk_nope_dim + a.v_head_dim);
  return queries + down + up + heads * a.v_head_dim * hidden;
}

double embedding_params(const ModelShape& model) {
  return (model.tied_embeddings ? 1.0 : 2.0) * model.vocab * model.hidden;
}

double router_params(const ModelShape& model) {
  return static_cast<double>(moe_layer_count(model)) * model.hidden * model.experts;
}

double dense_ffn_params(const ModelShape& model) {
  return (model.layers - moe_layer_count(model)) * ffn_params(model, model.dense_intermediate);
}

double shared_params(const ModelShape& model) {
  return moe_layer_count(model) * ffn_params(model, model.shared_intermediate);
}

// K and V of one token (gqa), or the compressed KV and the rotary key (mla).
Bytes kv_bytes_per_token_layer(const ModelShape& model) {
  const AttentionShape& a = model.attention;
  const double width = a.kind == AttentionKind::mla ? a.kv_lora_rank + a.qk_rope_dim
                                                    : 2.0 * a.kv_heads * a.head_dim;
  return Bytes{width * info(model.kv_cache).weight_bytes};
}

// Linear attention keeps a state of fixed size instead of a cache.
int caching_layers(const ModelShape& model) {
  const int period = model.attention.linear_layer_period;
  return period > 1 ? model.layers / period : model.layers;
}

}  // namespace

bool is_moe_layer(const ModelShape& model, int layer) {
  if (model.experts == 0) return false;
  if (model.moe_period > 1) return layer % model.moe_period == model.moe_period - 1;
  return layer >= model.dense_layers;
}

int moe_layer_count(const ModelShape& model) {
  int count = 0;
  for (int layer = 0; layer < model.layers; ++layer)
    count += is_moe_layer(model, layer) ? 1 : 0;
  return count;
}

double expert_params(const ModelShape& model) {
  return model.experts == 0 ? 0 : ffn_params(model, model.moe_intermediate);
}

double attention_params(const ModelShape& model) {
  return model.layers * attention_params_per_layer(model);
}

double total_params(const ModelShape& model) {
  return attention_params(model) + dense_ffn_params(model) + shared_params(model) +
         router_params(model) + embedding_params(model) +
         moe_layer_count(model) * model.experts * expert_params(model);
}

double active_params(const ModelShape& model) {
  return attention_params(model) + dense_ffn_params(model) + shared_params(model) +
         router_params(model) + embedding_params(model) +
         moe_layer_count(model) * model.top_k * expert_params(model);
}

double active_params(const ModelShape& model, ActiveCounting counting) {
  const double table = static_cast<double>(model.vocab) * model.hidden;
  switch (counting) {
    case ActiveCounting::all:
      return active_params(model);
    case ActiveCounting::no_input_embedding:
      return active_params(model) - (model.tied_embeddings ? 0 : table);
    case ActiveCounting::no_embeddings:
      return active_params(model) - embedding_params(model);
  }
  return 0;
}

Bytes expert_bytes(const ModelShape& model) {
  return Bytes{expert_params(model) * info(model.weights).weight_bytes};
}

Bytes kv_bytes_per_token(const ModelShape& model) {
  return caching_layers(model) * kv_bytes_per_token_layer(model);
}

Bytes kv_bytes(const ModelShape& model, double tokens) {
  const int layers = caching_layers(model);
  const int full =
      model.attention.sliding_window == 0 ? layers : layers / model.attention.full_layer_period;
  const double kept = std::min<double>(tokens, model.attention.sliding_window);
  return (full * tokens + (layers - full) * kept) * kv_bytes_per_token_layer(model);
}

Bytes resident_bytes(const ModelShape& model) {
  const double ffn = dense_ffn_params(model) + shared_params(model);
  const double bf16 = router_params(model) + embedding_params(model);  // never quantised
  return Bytes{attention_params(model) * info(model.attention_weights).weight_bytes +
               ffn * info(model.weights).weight_bytes + bf16 * info(Dtype::bf16).weight_bytes};
}

}  // namespace moesim
