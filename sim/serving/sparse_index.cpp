#include "sim/serving/sparse_index.hpp"

#include <algorithm>

namespace moesim {

namespace {

// Pairs of a query and a key that is no later, for a chunk after its context.
double pairs_of(double tokens, double context) { return tokens * (context + tokens / 2); }

// The same, at most `most` keys per query.
double kept_pairs(double tokens, double context, double most) {
  const double growing = std::clamp(most - context, 0.0, tokens);  // queries that see fewer
  return pairs_of(growing, context) + (tokens - growing) * most;
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

Seconds SparseIndex::projections(double tokens) const {
  if (tokens == 0) return Seconds{0};
  // Rotation, Hadamard transform and quantisation of queries; of keys the norm and the store
  // too. Each reads and writes bf16 rows.
  const Bytes queries{4.0 * shape_.index_heads * shape_.index_dim * tokens};
  const Bytes keys{4.0 * shape_.index_dim * tokens};
  return queries_.time(tokens) + key_.time(tokens) + weights_.time(tokens) +
         3.0 * costs_->memory_bound(queries) + 5.0 * costs_->memory_bound(keys);
}

Seconds SparseIndex::scored(double pairs, double keys) const {
  const double key_bytes = keys * (shape_.index_dim + 4.0);  // fp8 and a scale
  const double score_bytes = 4.0 * pairs;                    // fp32
  const Flops flops{2.0 * shape_.index_heads * shape_.index_dim * pairs};
  // The choice reads the scores twice: a histogram, then what lies above the threshold.
  return std::max(costs_->memory_bound(Bytes{key_bytes + score_bytes}),
                  costs_->fp8_dots(flops)) +
         costs_->memory_bound(Bytes{2 * score_bytes});
}

Seconds SparseIndex::scores(const RankBatch& batch, double part) const {
  Seconds total{0};
  if (batch.decodes > 0) {
    // Rows of one request (drafts) share its keys.
    const double keys = part * batch.decode_context;
    total += scored(keys * batch.decode_tokens / batch.decodes, keys);
  }
  for (const PrefillChunk& chunk : batch.chunks) {
    const double tokens = part * chunk.tokens;
    const double context = chunk.context + (1 - part) / 2 * chunk.tokens;
    total += scored(pairs_of(tokens, context), context + tokens);
  }
  return total;
}

double SparseIndex::kept_context(const RankBatch& batch) const {
  const double readers = batch.decodes - batch.idle;
  const double each = std::min<double>(batch.decode_context / readers, shape_.index_top_k);
  return each * readers / batch.decodes;
}

double SparseIndex::prefill_share(double tokens, double context) const {
  const double latent = 2.0 * shape_.kv_lora_rank + shape_.qk_rope_dim;
  const double expanded = shape_.qk_nope_dim + shape_.qk_rope_dim + shape_.v_head_dim;
  const double kept = kept_pairs(tokens, context, shape_.index_top_k);
  return std::min(1.0, kept / pairs_of(tokens, context) * latent / expanded);
}

}  // namespace moesim
