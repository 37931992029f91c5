// The shape of a transformer: what decides flops, bytes and messages per token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/dtype.hpp"
#include "sim/base/units.hpp"

namespace moesim {

enum class AttentionKind { gqa, mla };  // MHA is GQA with kv_heads = heads

struct AttentionShape {
  AttentionKind kind = AttentionKind::gqa;
  int heads = 0;
  int kv_heads = 0;             // gqa
  int head_dim = 0;             // gqa
  int q_lora_rank = 0;          // mla; 0: queries are not compressed
  int kv_lora_rank = 0;         // mla
  int qk_nope_dim = 0;          // mla
  int qk_rope_dim = 0;          // mla
  int v_head_dim = 0;           // mla
  int sliding_window = 0;       // tokens; 0: full attention
  int full_layer_period = 1;    // with a window: one layer in this many is full attention
  int linear_layer_period = 0;  // n: all but one layer in n are linear attention; 0: none
  // gqa: queries and keys are normalised over all heads at once (MiniMax-M2), which needs their
  // sums of squares from all tensor-parallel GPUs.
  bool qk_norm_over_heads = false;
  int index_heads = 0;  // mla: of the indexer of sparse attention; 0: attention is dense
  int index_dim = 0;    // width of an index key and of each head's query
  int index_top_k = 0;  // keys that a query attends to

  friend bool operator==(const AttentionShape&, const AttentionShape&) = default;
};

// What a published "active parameters" figure counts; developers differ.
enum class ActiveCounting { all, no_input_embedding, no_embeddings };

struct ModelShape {
  std::string name;
  std::string source;  // where the shape comes from
  int layers = 0;
  int dense_layers = 0;  // of `layers`, with a dense FFN (placed first unless moe_period > 1)
  int moe_period = 1;    // > 1: one MoE layer in this many (Llama-4-Maverick: 2)
  int hidden = 0;
  int dense_intermediate = 0;
  int moe_intermediate = 0;
  int experts = 0;  // routed experts per MoE layer; 0: a dense model
  int top_k = 0;
  int shared_intermediate = 0;  // all shared experts of a layer together
  int expert_groups = 1;
  int top_groups = 1;
  bool gated = true;  // SwiGLU: three matrices per expert; else two
  bool tied_embeddings = false;
  int vocab = 0;
  AttentionShape attention;
  Dtype weights = Dtype::bf16;  // routed experts
  Dtype attention_weights = Dtype::bf16;
  std::optional<Dtype> ffn_weights;  // dense FFNs and shared experts; unset: weights
  std::optional<Dtype>
      output_weights;  // attention's output projection; unset: attention_weights
  Dtype kv_cache = Dtype::bf16;
  Dtype dispatch = Dtype::fp8_block;  // activations on the wire, dispatch
  Dtype combine = Dtype::bf16;        // activations on the wire, combine
  int dispatch_width = 0;             // 0: hidden
  double official_total_params = 0;   // as published; 0: unknown
  double official_active_params = 0;
  ActiveCounting official_active_counting = ActiveCounting::all;

  friend bool operator==(const ModelShape&, const ModelShape&) = default;
};

// Number formats of parts that checkpoints quantise apart.
Dtype ffn_dtype(const ModelShape& model);
Dtype output_dtype(const ModelShape& model);

// True for the layers (0-based) that hold routed experts.
bool is_moe_layer(const ModelShape& model, int layer);
int moe_layer_count(const ModelShape& model);

// Parameters. `active` counts what one token uses: top_k experts, shared experts, attention,
// dense layers, embeddings and head.
double expert_params(const ModelShape& model);
double attention_params(const ModelShape& model);
// Bytes of one layer's attention weights.
Bytes attention_bytes_per_layer(const ModelShape& model);
double total_params(const ModelShape& model);
double active_params(const ModelShape& model);
// The same as a published figure may count it: `no_input_embedding` leaves out the embedding
// table (of which a token reads one row), `no_embeddings` the head as well.
double active_params(const ModelShape& model, ActiveCounting counting);

// A run of layers [first, end): what one stage of a pipeline holds.
struct LayerRange {
  int first = 0;
  int end = 0;
  [[nodiscard]] int count() const { return end - first; }

  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};
LayerRange all_layers(const ModelShape& model);
// Of one of `stages`: as even as can be, the first stages have one more.
LayerRange layers_of(const ModelShape& model, int stages, int stage);
int moe_layer_count(const ModelShape& model, LayerRange layers);

// Bytes in memory.
Bytes expert_bytes(const ModelShape& model);
Bytes kv_bytes_per_token(const ModelShape& model);       // all layers, within the windows
Bytes kv_bytes(const ModelShape& model, double tokens);  // of one sequence; windows cap layers
// Everything but routed experts: attention, dense FFN, shared experts, router, embeddings,
// head.
Bytes resident_bytes(const ModelShape& model);

// The same of a run of layers: the first one's holds the embedding, the last one's the head.
Bytes kv_bytes_per_token(const ModelShape& model, LayerRange layers);
Bytes kv_bytes(const ModelShape& model, double tokens, LayerRange layers);
Bytes resident_bytes(const ModelShape& model, LayerRange layers);

}  // namespace moesim
