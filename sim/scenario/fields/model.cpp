#include "sim/model/shape.hpp"
#include "sim/scenario/fields.hpp"

namespace moesim {

namespace {

template <class O, class D>  // Dtype, or an optional one
Field dtype(std::string name, D O::*member, std::string doc) {
  std::vector<std::pair<std::string, D>> names;
  for (const DtypeInfo& i : kDtypes) names.emplace_back(i.name, i.dtype);
  return choice(std::move(name), member, std::move(doc), std::move(names));
}

const FieldTable& attention_fields() {
  using O = AttentionShape;
  static const FieldTable fields{
      "The shape of attention.",
      "",
      {
          choice(MOESIM_KEY(kind), "gqa (MHA: kv_heads = heads) or mla",
                 {{"gqa", AttentionKind::gqa}, {"mla", AttentionKind::mla}}),
          field(MOESIM_KEY(heads), "Query heads").range(1, 4096).required(),
          field(MOESIM_KEY(kv_heads), "gqa: key and value heads").range(0, 4096),
          field(MOESIM_KEY(head_dim), "gqa: width of a head").range(0, 65536),
          field(MOESIM_KEY(q_lora_rank), "mla: width of compressed queries; 0: not compressed")
              .range(0, 1 << 20),
          field(MOESIM_KEY(kv_lora_rank), "mla: width of the compressed KV").range(0, 1 << 20),
          field(MOESIM_KEY(qk_nope_dim), "mla: head width without rotation").range(0, 65536),
          field(MOESIM_KEY(qk_rope_dim), "mla: rotary width").range(0, 65536),
          field(MOESIM_KEY(v_head_dim), "mla: width of a value head").range(0, 65536),
          field(MOESIM_KEY(sliding_window), "Window in tokens")
              .range(1)
              .unset("full attention"),
          field(MOESIM_KEY(full_layer_period),
                "With a window: one layer in this many is full attention")
              .range(1, 4096),
          field(MOESIM_KEY(linear_layer_period),
                "All but one layer in this many are linear attention")
              .range(1, 4096)
              .unset("none are"),
          field(
              MOESIM_KEY(qk_norm_over_heads),
              "gqa: queries and keys are normalised over all heads at once, not head by head: "
              "one more all-reduce per layer under tensor parallelism"),
          field(MOESIM_KEY(index_heads),
                "mla: heads of the indexer of sparse attention (DSA: DeepSeek-V3.2, GLM-5)")
              .range(1, 4096)
              .unset("attention is dense"),
          field(MOESIM_KEY(index_dim), "Width of the indexer's heads and keys").range(0, 65536),
          field(MOESIM_KEY(index_top_k), "Keys that the indexer leaves a query")
              .range(0, 1 << 24),
      }};
  return fields;
}

}  // namespace

const FieldTable& model_fields() {
  using O = ModelShape;
  static const FieldTable fields{
      "The shape of the model: what decides flops, bytes and messages per token.",
      "models",
      {
          field(MOESIM_KEY(name), "Name in reports"),
          field(MOESIM_KEY(source), "Where the shape comes from"),
          field(MOESIM_KEY(layers), "Transformer layers").range(1, 10000).required(),
          field(MOESIM_KEY(dense_layers), "Of these, with a dense FFN").range(0, 10000),
          field(MOESIM_KEY(moe_period), "One MoE layer in this many").range(1, 10000),
          field(MOESIM_KEY(hidden), "Width of the residual stream")
              .range(1, 1 << 20)
              .required(),
          field(MOESIM_KEY(dense_intermediate), "Width of a dense FFN").range(0, 1 << 24),
          field(MOESIM_KEY(moe_intermediate), "Width of one expert").range(0, 1 << 24),
          field(MOESIM_KEY(experts), "Routed experts per MoE layer; 0: a dense model")
              .range(0, 1 << 20),
          field(MOESIM_KEY(top_k), "Experts per token").range(0, 1024),
          field(MOESIM_KEY(shared_intermediate), "Width of all shared experts together")
              .range(0, 1 << 24),
          field(MOESIM_KEY(expert_groups), "Groups that the router limits a token to")
              .range(1, 4096),
          field(MOESIM_KEY(top_groups), "Groups that a token may use").range(1, 4096),
          field(MOESIM_KEY(gated), "An expert has three matrices (SwiGLU), else two"),
          field(MOESIM_KEY(tied_embeddings), "The head shares the embedding's weights"),
          field(MOESIM_KEY(vocab), "Vocabulary").range(1, 1 << 28).required(),
          dtype(MOESIM_KEY(weights), "Number format of routed experts"),
          dtype(MOESIM_KEY(attention_weights), "Number format of attention's weights"),
          dtype(MOESIM_KEY(ffn_weights), "Number format of dense FFNs and shared experts")
              .unset("weights"),
          dtype(MOESIM_KEY(output_weights),
                "Number format of attention's output projection, which some checkpoints "
                "quantise alone")
              .unset("attention_weights"),
          dtype(MOESIM_KEY(kv_cache), "Number format of the KV cache"),
          dtype(MOESIM_KEY(dispatch), "Number format of activations on the way to experts"),
          dtype(MOESIM_KEY(combine), "Number format of activations on the way back"),
          field(MOESIM_KEY(dispatch_width), "Width of what is dispatched")
              .range(1, 1 << 20)
              .unset("hidden"),
          field(MOESIM_KEY(official_total_params), "Parameters as published; 0: unknown")
              .range(0),
          field(MOESIM_KEY(official_active_params),
                "Active parameters as published; 0: unknown")
              .range(0),
          choice(MOESIM_KEY(official_active_counting),
                 "What the published active figure counts",
                 {{"all", ActiveCounting::all},
                  {"no_input_embedding", ActiveCounting::no_input_embedding},
                  {"no_embeddings", ActiveCounting::no_embeddings}}),
          table(MOESIM_KEY(attention), "The shape of attention", attention_fields()).required(),
      }};
  return fields;
}

}  // namespace moesim
