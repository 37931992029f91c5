// The parts of a model that every attention rank computes by itself, on one GPU kind: curves
// prepared once, then evaluated per rank and step. Times are per layer and exclude the
// collectives between a rank's tensor-parallel GPUs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "calibrate/cost_model.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/batch.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/sparse_index.hpp"

namespace moesim {

class LayerCosts {
 public:
  LayerCosts(const ModelShape& model, const Parallelism& parallel, const CostModel& costs);

  // Attention kinds of the model: full, sliding window, linear; most models have one.
  [[nodiscard]] std::size_t kinds() const { return cores_.size(); }
  [[nodiscard]] const std::vector<std::uint8_t>& kind_of_layer() const {
    return kind_of_layer_;
  }

  // One layer: norms, projections, scores and values, for a part of the batch (1, or 1/2 for a
  // micro-batch).
  [[nodiscard]] Seconds attention(const RankBatch& batch, std::size_t kind, double part) const {
    return attention_gemms(batch, part) + attention_core(batch, kind, part);
  }
  // Its two halves: norms and projections; scores and values.
  [[nodiscard]] Seconds attention_gemms(const RankBatch& batch, double part) const;
  [[nodiscard]] Seconds attention_core(const RankBatch& batch, std::size_t kind,
                                       double part) const;
  [[nodiscard]] Seconds dense_ffn(double tokens) const;
  [[nodiscard]] Seconds shared_experts(double tokens) const;
  [[nodiscard]] Seconds router(double tokens) const;
  [[nodiscard]] Seconds permute(double rows, double row_bytes) const;
  // Once per step: embedding, LM head over `sampled` rows, sampling.
  [[nodiscard]] Seconds ends(double tokens, double sampled) const;
  // Host time per step that no kernel hides; `prompt_tokens` are those of the step.
  [[nodiscard]] Seconds host_overhead(double sequences, double prompt_tokens) const;
  // Per layer: gaps between kernels, and kernels that no table holds.
  [[nodiscard]] Seconds layer_overhead() const;
  // From a request's arrival to the scheduler's queue: server and tokenizer.
  [[nodiscard]] Seconds request_overhead() const;

  // Routed experts of one layer on a GPU that holds `slots` of them.
  [[nodiscard]] ExpertCurve experts(int slots) const;

  // The least trusted of all curves, and the largest expected error.
  [[nodiscard]] const CurveOrigin& origin() const { return origin_; }

 private:
  void add_core(const AttentionConfig& config);
  void prepare_attention();
  void prepare_kinds();
  GemmCurve gemm(double n, double k, Dtype dtype);

  ModelShape model_;
  Parallelism parallel_;
  const CostModel* costs_;  // outlives this
  CurveOrigin origin_;
  std::vector<GemmCurve> projections_;
  std::optional<GemmCurve> expand_;  // mla, prompts: the latent to keys and values of all heads
  std::vector<AttentionCurve> cores_;
  std::optional<SparseIndex> index_;
  std::vector<std::uint8_t> kind_of_layer_;  // [layers]
  std::vector<GemmCurve> dense_;             // gate and up, down
  std::vector<GemmCurve> shared_;
  std::optional<GemmCurve> head_;
};

}  // namespace moesim
