// The lightning indexer of DeepSeek sparse attention (DSA: DeepSeek-V3.2 report, 2512.02556,
// section 2.1; GLM-5): which top_k keys a query attends to.
//
// Per layer and token: index queries from the compressed query, one index key and the heads'
// weights from the hidden state; scores are sums over heads of weight x ReLU(query . key) in
// fp8 over the whole context; the top_k best keys go to attention. GPUs of one attention rank
// each do all of it: it is not sharded.
#pragma once

#include "calibrate/cost_model.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/batch.hpp"

namespace moesim {

class SparseIndex {
 public:
  // Of a model with attention.index_heads > 0. `costs` outlives this.
  SparseIndex(const ModelShape& model, const CostModel& costs);

  // One layer: queries, keys and weights of so many tokens.
  [[nodiscard]] Seconds projections(double tokens) const;
  // One layer: scores and the choice among them, for a part of the batch (1, or 1/2 for a
  // micro-batch).
  [[nodiscard]] Seconds scores(const RankBatch& batch, double part) const;
  // KV tokens per decode that attention reads.
  [[nodiscard]] double kept_context(const RankBatch& batch) const;
  // Attention of a prompt's chunk, as a multiple of attention to everything: fewer pairs, but
  // by the kernel of latent attention, whose pairs cost (2 latent + rope) / (key + value) as
  // much; never more than 1, for the other kernel is there too.
  [[nodiscard]] double prefill_share(double tokens, double context) const;

 private:
  [[nodiscard]] Seconds scored(double pairs, double keys) const;

  AttentionShape shape_;
  const CostModel* costs_;
  GemmCurve queries_, key_, weights_;
};

}  // namespace moesim
