// The lightning indexer of DeepSeek sparse attention (DSA: DeepSeek-V3.2 report, 2512.02556,
// section 2.1; GLM-5): which top_k keys a query attends to.
//
// Per layer and token: index queries from the compressed query, one index key and the heads'
// weights from the hidden state; scores are sums over heads of weight x ReLU(query . key) in
// fp8 over the whole context; the top_k best keys go to attention. GPUs of one attention rank
// keep it whole: it is not sharded.
#pragma once

#include "calibrate/cost_model.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/batch.hpp"

namespace moesim {

class SparseIndex {
 public:
  // Of a model with attention.index_heads > 0. `costs` outlives this.
  SparseIndex(const ModelShape& model, const CostModel& costs);

  // One layer, for a part of the batch (1, or 1/2 for a micro-batch).
  [[nodiscard]] Seconds time(const RankBatch& batch, double part) const;
  // The context that attention reads of this one, in tokens.
  [[nodiscard]] double kept(double context) const;
  // Attention of a prompt's chunk, as a multiple of attention to everything: fewer pairs, by
  // the kernel of latent attention, whose pairs cost (2 latent + rope) / (key + value) as much.
  [[nodiscard]] double prefill_share(double tokens, double context) const;

 private:
  [[nodiscard]] Seconds scores(double queries, double context) const;

  AttentionShape shape_;
  const CostModel* costs_;
  GemmCurve queries_, key_, weights_;
};

}  // namespace moesim
