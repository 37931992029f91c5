#include "sim/training/weights.hpp"

#include <algorithm>

namespace moesim {

namespace {

double ffn(const ModelShape& model, int intermediate) {
  return (model.gated ? 3.0 : 2.0) * model.hidden * intermediate;
}

double per_layer_attention(const ModelShape& model) {
  return attention_params(model) / model.layers;
}

// Values per token of one layer that the backward pass needs, in bf16: inputs and outputs of
// the two norms, what goes into and comes out of attention, and the FFN's inner values. Scores
// are computed again (FlashAttention). Counted tensor by tensor as in 2205.05198, section 4.1.
double kept_values(const ModelShape& model, int layer) {
  const AttentionShape& a = model.attention;
  const double heads = a.heads;
  const double qk = a.qk_nope_dim + a.qk_rope_dim;
  const double attention = a.kind == AttentionKind::mla
                               ? a.q_lora_rank + a.kv_lora_rank + a.qk_rope_dim +
                                     2 * heads * qk + 2 * heads * a.v_head_dim
                               : 2 * (heads + a.kv_heads) * a.head_dim;
  const double inner = model.gated ? 3 : 2;  // gate, up, their product; or before and after
  double ffn_values = inner * model.dense_intermediate;
  if (is_moe_layer(model, layer)) {
    ffn_values =
        inner * (model.shared_intermediate + 1.0 * model.top_k * model.moe_intermediate) +
        1.0 * model.top_k * model.hidden;  // a copy for each expert
  }
  return 4.0 * model.hidden + attention + ffn_values;
}

Bytes activations(const ModelShape& model, const TrainingOptions& options,
                  const TrainingLayout& layout, int stage) {
  const LayerRange layers = layers_of(model, layout.stages, stage);
  const double in_flight = std::min(layout.micro_batches, layout.stages - stage);
  double kept = 0;
  double widest = 0;
  for (int layer = layers.first; layer < layers.end; ++layer) {
    const double values = kept_values(model, layer);
    widest = std::max(widest, values);
    kept += options.recompute == Recompute::full ? model.hidden : values;
  }
  double values = in_flight * kept;
  if (options.recompute == Recompute::full) values += widest;
  const double tokens = 1.0 * layout.rank_tokens / layout.tp;
  Bytes bytes{2 * values * tokens};
  // Logits of one micro-batch and their gradient, fp32 and bf16.
  if (stage == layout.stages - 1) bytes += Bytes{6.0 * model.vocab * tokens};
  return bytes;
}

}  // namespace

TrainedWeights layer_weights(const ModelShape& model, const TrainingLayout& layout, int layer) {
  const double tp = layout.tp;
  const double attention = per_layer_attention(model) / tp;
  const double ffn_bytes = info(ffn_dtype(model)).weight_bytes;
  TrainedWeights w;
  w.bytes = attention_bytes_per_layer(model) / tp;
  if (is_moe_layer(model, layer)) {
    const double shared = ffn(model, model.shared_intermediate) / tp;
    const double router = 1.0 * model.hidden * model.experts;
    w.shared = attention + shared + router;
    w.experts = expert_params(model) * model.experts / layout.ep;
    w.bytes += Bytes{shared * ffn_bytes + 2 * router} +
               expert_bytes(model) * (1.0 * model.experts / layout.ep);
  } else {
    const double dense = ffn(model, model.dense_intermediate) / tp;
    w.shared = attention + dense;
    w.bytes += Bytes{dense * ffn_bytes};
  }
  return w;
}

TrainedWeights end_weights(const ModelShape& model, const TrainingLayout& layout, int stage) {
  const double table = 1.0 * model.vocab * model.hidden / layout.tp;
  const bool first = stage == 0;
  const bool last = stage == layout.stages - 1;
  TrainedWeights w;
  w.shared = table * ((first ? 1 : 0) + (last && !(first && model.tied_embeddings) ? 1 : 0));
  w.bytes = Bytes{2 * w.shared};
  return w;
}

TrainingMemory plan_training_memory(const ModelShape& model, const TrainingOptions& options,
                                    const TrainingLayout& layout, Bytes gpu_memory,
                                    double memory_fraction) {
  TrainingMemory most;
  for (int stage = 0; stage < layout.stages; ++stage) {
    TrainedWeights all = end_weights(model, layout, stage);
    const LayerRange layers = layers_of(model, layout.stages, stage);
    for (int layer = layers.first; layer < layers.end; ++layer) {
      all.add(layer_weights(model, layout, layer));
    }
    TrainingMemory m;
    m.stage = stage;
    m.capacity = gpu_memory;
    m.usable = gpu_memory * memory_fraction;
    m.weights = all.bytes;
    m.gradients = Bytes{(all.shared + all.experts) * info(options.gradients).weight_bytes};
    const double dp = options.shard_optimizer ? layout.dp : 1;
    const double replicas = options.shard_optimizer ? layout.replicas : 1;
    m.optimizer = Bytes{kOptimizerBytes * (all.shared / dp + all.experts / replicas)};
    m.activations = activations(model, options, layout, stage);
    if (stage == 0 || m.used() > most.used()) most = m;
  }
  return most;
}

}  // namespace moesim
