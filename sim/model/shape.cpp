#include "sim/model/shape.hpp"

#include <algorithm>

namespace moesim {

namespace {

double ffn_params(const ModelShape& model, int intermediate) {
  return (model.gated ? 3.0 : 2.0) * model.hidden * intermediate;
}

// Attention's output projection, of one layer.
double output_params_per_layer(const ModelShape& model) {
  const AttentionShape& a = model.attention;
  const int width = a.kind == AttentionKind::mla ? a.v_head_dim : a.head_dim;
  return 1.0 * a.heads * width * model.hidden;
}

// Of one layer, without biases. MLA as in the DeepSeek-V2 report (2405.04434, section 2.1).
double attention_params_per_layer(const ModelShape& model) {
  const AttentionShape& a = model.attention;
  const double hidden = model.hidden, heads = a.heads;
  if (a.kind == AttentionKind::gqa) {
    return hidden * a.head_dim * (heads + 2.0 * a.kv_heads) + output_params_per_layer(model);
  }
  const double qk_dim = a.qk_nope_dim + a.qk_rope_dim;
  const double queries = a.q_lora_rank > 0
                             ? hidden * a.q_lora_rank + a.q_lora_rank * heads * qk_dim
                             : hidden * heads * qk_dim;
  const double down = hidden * (a.kv_lora_rank + a.qk_rope_dim);
  const double up = a.kv_lora_rank * heads * (a.qk_nope_dim + a.v_head_dim);
  const double index_queries =
      a.index_heads * a.index_dim * (a.q_lora_rank > 0 ? a.q_lora_rank : hidden);
  const double index = index_queries + hidden * (a.index_dim + a.index_heads);
  return queries + down + up + output_params_per_layer(model) + index;
}

double embedding_params(const ModelShape& model) {
  return (model.tied_embeddings ? 1.0 : 2.0) * model.vocab * model.hidden;
}

// Tied ones are one table, of which a pipeline's first and last stage have a copy each.
double embedding_params(const ModelShape& model, LayerRange layers) {
  const bool first = layers.first == 0;
  const bool last = layers.end == model.layers;
  if (first && last) return embedding_params(model);
  return (first || last ? 1.0 : 0.0) * model.vocab * model.hidden;
}

double router_params(const ModelShape& model, LayerRange layers) {
  return static_cast<double>(moe_layer_count(model, layers)) * model.hidden * model.experts;
}

double dense_ffn_params(const ModelShape& model, LayerRange layers) {
  return (layers.count() - moe_layer_count(model, layers)) *
         ffn_params(model, model.dense_intermediate);
}

double shared_params(const ModelShape& model, LayerRange layers) {
  return moe_layer_count(model, layers) * ffn_params(model, model.shared_intermediate);
}

// Everything but embeddings and experts.
double layer_params(const ModelShape& model) {
  const LayerRange all = all_layers(model);
  return attention_params(model) + dense_ffn_params(model, all) + shared_params(model, all) +
         router_params(model, all);
}

// K and V of one token (gqa), or the compressed KV and the rotary key (mla); an index key is
// fp8 with a scale.
Bytes kv_bytes_per_token_layer(const ModelShape& model) {
  const AttentionShape& a = model.attention;
  const double width = a.kind == AttentionKind::mla ? a.kv_lora_rank + a.qk_rope_dim
                                                    : 2.0 * a.kv_heads * a.head_dim;
  const double index = a.index_heads > 0 ? a.index_dim + 4.0 : 0;
  return Bytes{width * info(model.kv_cache).weight_bytes + index};
}

// Of the layers, those that are the last of a period.
int closing_periods(LayerRange layers, int period) {
  return layers.end / period - layers.first / period;
}

// Linear attention keeps a state of fixed size instead of a cache.
int caching_layers(const ModelShape& model, LayerRange layers) {
  const int period = model.attention.linear_layer_period;
  return period > 1 ? closing_periods(layers, period) : layers.count();
}

// Those without a window.
int full_layers(const ModelShape& model, LayerRange layers) {
  return model.attention.sliding_window == 0
             ? caching_layers(model, layers)
             : closing_periods(layers, model.attention.full_layer_period);
}

}  // namespace

bool is_moe_layer(const ModelShape& model, int layer) {
  if (model.experts == 0) return false;
  if (model.moe_period > 1) return layer % model.moe_period == model.moe_period - 1;
  return layer >= model.dense_layers;
}

LayerRange all_layers(const ModelShape& model) { return {0, model.layers}; }

LayerRange layers_of(const ModelShape& model, int stages, int stage) {
  const int each = model.layers / stages;
  const int more = model.layers % stages;
  const int first = stage * each + std::min(stage, more);
  return {first, first + each + (stage < more ? 1 : 0)};
}

int moe_layer_count(const ModelShape& model, LayerRange layers) {
  int count = 0;
  for (int layer = layers.first; layer < layers.end; ++layer)
    count += is_moe_layer(model, layer) ? 1 : 0;
  return count;
}

int moe_layer_count(const ModelShape& model) {
  return moe_layer_count(model, all_layers(model));
}

double expert_params(const ModelShape& model) {
  return model.experts == 0 ? 0 : ffn_params(model, model.moe_intermediate);
}

double attention_params(const ModelShape& model) {
  return model.layers * attention_params_per_layer(model);
}

double total_params(const ModelShape& model) {
  return layer_params(model) + embedding_params(model) +
         moe_layer_count(model) * model.experts * expert_params(model);
}

double active_params(const ModelShape& model) {
  return layer_params(model) + embedding_params(model) +
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

Dtype ffn_dtype(const ModelShape& model) { return model.ffn_weights.value_or(model.weights); }

Dtype output_dtype(const ModelShape& model) {
  return model.output_weights.value_or(model.attention_weights);
}

Bytes attention_bytes_per_layer(const ModelShape& model) {
  const double output = output_params_per_layer(model);
  return Bytes{(attention_params_per_layer(model) - output) *
                   info(model.attention_weights).weight_bytes +
               output * info(output_dtype(model)).weight_bytes};
}

Bytes expert_bytes(const ModelShape& model) {
  return Bytes{expert_params(model) * info(model.weights).weight_bytes};
}

Bytes kv_bytes_per_token(const ModelShape& model, LayerRange layers) {
  return caching_layers(model, layers) * kv_bytes_per_token_layer(model);
}

Bytes kv_bytes_per_token(const ModelShape& model) {
  return kv_bytes_per_token(model, all_layers(model));
}

Bytes kv_bytes(const ModelShape& model, double tokens, LayerRange layers) {
  const int all = caching_layers(model, layers);
  const int full = full_layers(model, layers);
  const double kept = std::min<double>(tokens, model.attention.sliding_window);
  return (full * tokens + (all - full) * kept) * kv_bytes_per_token_layer(model);
}

Bytes kv_bytes(const ModelShape& model, double tokens) {
  return kv_bytes(model, tokens, all_layers(model));
}

Bytes resident_bytes(const ModelShape& model, LayerRange layers) {
  const double ffn = dense_ffn_params(model, layers) + shared_params(model, layers);
  // Never quantised.
  const double bf16 = router_params(model, layers) + embedding_params(model, layers);
  return layers.count() * attention_bytes_per_layer(model) +
         Bytes{ffn * info(ffn_dtype(model)).weight_bytes +
               bf16 * info(Dtype::bf16).weight_bytes};
}

Bytes resident_bytes(const ModelShape& model) {
  return resident_bytes(model, all_layers(model));
}

}  // namespace moesim
