#include "sim/serving/sparse_index.hpp"

#include <algorithm>

namespace moesim {

namespace {

// Pairs of a query and a key that is no later, for a chunk after its context.
double pairs_of(double tokens, double context) { return tokens * (context + tokens / 2); }

// The same, at most `most` keys per query.
double kept_pairs(double tokens, double context, double most) {
  const double growing = std::clamp(most - context, 0.0, tokens);  // queries that see fewer
  return pairs_of(growing, context) + (tokens - growing) * std::min(most, context + tokens);
}

}  // namespace

SparseIndex::SparseIndex(const ModelShape& model, const CostModel& costs)
    : shape_(model.attention),
      costs_(&costs),
      queries_(costs.gemm(1.0 * shape_.index_heads * shape_.index_dim,
                          shape_.q_lora_rank > 0 ? shape_.q_lora_rank : model.hidden,
                          model.attention_weights)),
      key_(costs.gemm(shape_.index_dim, model.hidden, model.attention_weights)),
      weights_(costs.gemm(shape_.index_heads, model.hidden, Dtype::bf16)) {}

Seconds SparseIndex::scores(double queries, double context) const {
  const double keys = context * (shape_.index_dim + 4.0);  // fp8 and a scale
  const double values = 4.0 * queries * context;           // fp32
  const double flops = 2.0 * shape_.index_heads * shape_.index_dim * queries * context;
  // The selection reads the scores twice: a histogram, then what lies above the threshold.
  return std::max(costs_->memory_bound(Bytes{keys + values}), costs_->fp8_dots(Flops{flops})) +
         costs_->memory_bound(Bytes{2 * values});
}

Seconds SparseIndex::time(const RankBatch& batch, double part) const {
  const double tokens = part * batch.tokens();
  if (tokens == 0) return Seconds{0};
  Seconds total = queries_.time(tokens) + key_.time(tokens) + weights_.time(tokens);
  // Rotation, Hadamard transform and quantisation of queries; of keys the norm and the store
  // too.
  const double query_bytes = 2.0 * shape_.index_heads * shape_.index_dim * tokens;
  const double key_bytes = 2.0 * shape_.index_dim * tokens;
  total += 3.0 * costs_->memory_bound(Bytes{2 * query_bytes});
  total += 5.0 * costs_->memory_bound(Bytes{2 * key_bytes});
  if (batch.decodes > 0) {
    const double rows = part * batch.decode_tokens;
    // Every sequence has keys of its own: as many dot products, all their keys read.
    const double context = batch.decode_context / batch.decodes;
    const double keys = rows * context * (shape_.index_dim + 4.0);
    total += std::max(scores(rows, context), costs_->memory_bound(Bytes{keys}));
  }
  for (const PrefillChunk& chunk : batch.chunks) {
    const double rows = part * chunk.tokens;
    total += scores(rows, pairs_of(rows, chunk.context) / std::max(1.0, rows));
  }
  return total;
}

double SparseIndex::kept(double context) const {
  return std::min<double>(context, shape_.index_top_k);
}

double SparseIndex::prefill_share(double tokens, double context) const {
  const double most = shape_.index_top_k;
  if (context + tokens <= most) return 1;  // everything is kept: the dense kernel
  const double latent = 2.0 * shape_.kv_lora_rank + shape_.qk_rope_dim;
  const double expanded = shape_.qk_nope_dim + shape_.qk_rope_dim + shape_.v_head_dim;
  return kept_pairs(tokens, context, most) / pairs_of(tokens, context) * latent / expanded;
}

}  // namespace moesim
