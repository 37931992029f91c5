// What the GPUs of a step add up and gather between them: times, and bytes on the links.
#include "sim/serving/step_model.hpp"

namespace moesim {

// Between the GPUs that share an expert's matrices: each must see all of its tokens.
Seconds StepModel::in_shards(const StepStage& stage, GroupOp op, Bytes bytes) const {
  if (parallel_.moe_tp <= 1 || bytes.value == 0) return Seconds{0};
  return collectives_.time(op, stage.shards, bytes).time;
}

// Of one bf16 row per token.
Seconds StepModel::all_reduce(const StepStage& stage, double tokens) const {
  if (parallel_.tp <= 1 || tokens == 0) return Seconds{0};
  return collectives_.time(GroupOp::all_reduce, stage.rank, Bytes{2.0 * tokens * model_.hidden})
      .time;
}

// Of a layer's attention output; and, where queries and keys are normalised over all heads, of
// their sums of squares, two fp32 per token.
Seconds StepModel::attention_all_reduce(const StepStage& stage, double tokens) const {
  Seconds total = all_reduce(stage, tokens);
  if (model_.attention.qk_norm_over_heads && parallel_.tp > 1 && tokens > 0) {
    total += collectives_.time(GroupOp::all_reduce, stage.rank, Bytes{2 * 4.0 * tokens}).time;
  }
  return total;
}

// Without a dispatch every GPU computes its part of every token. One attention rank has them
// all and adds the parts up; several gather each other's tokens first (padded to the longest)
// and scatter the sums.
void StepModel::exchange_whole(const StepStage& stage, MoeLayerTime& time) const {
  if (parallel_.dp == 1) {
    time.combine = all_reduce(stage, work_.most_tokens);
    return;
  }
  const Bytes rows{2.0 * work_.most_tokens * parallel_.dp * model_.hidden};
  time.dispatch = collectives_.time(GroupOp::all_gather, stage.group, rows).time;
  time.combine = collectives_.time(GroupOp::reduce_scatter, stage.group, rows).time;
}

// Over the whole step; every attention rank its own tokens, padding included, as the engine
// sends them.
void StepModel::account_ranks(const StepStage& stage, LinkLedger& ledger) {
  if (parallel_.tp <= 1) return;
  const double moe_layers = moe_ == nullptr ? 0 : moe_layer_count(model_, stage.layers);
  const bool whole = stage.network == nullptr && parallel_.dp == 1;
  const double row = 2.0 * model_.hidden;
  const double norms = model_.attention.qk_norm_over_heads ? 2 * 4.0 : 0.0;
  const double after_ffn = whole ? stage.layers.count() : stage.layers.count() - moe_layers;
  const double each = stage.layers.count() * (row + norms) + after_ffn * row;
  sent_.resize(work_.rank_tokens.size());
  for (std::size_t d = 0; d < sent_.size(); ++d) {
    sent_[d] = work_.rank_tokens[d] * work_.rank_passes[d] * each;
  }
  stage.rank_traffic.account(GroupOp::all_reduce, sent_, ledger);
  if (stage.is_first) return;
  for (double& bytes : sent_) bytes *= row / each;  // what the stage before has handed on
  stage.rank_traffic.account(GroupOp::all_gather, sent_, ledger);
}

// `rank_tokens` [stages * ep] of the experts before the step.
void StepModel::account_experts(const StepStage& stage, std::span<const double> rank_tokens,
                                LinkLedger& ledger) {
  if (moe_ == nullptr) return;
  if (stage.network == nullptr) {
    if (parallel_.dp == 1) return;
    const double rows = 2.0 * work_.most_tokens * parallel_.dp * model_.hidden;
    sent_.assign(1, rows * work_.passes * moe_layer_count(model_, stage.layers));
    stage.group_traffic.account(GroupOp::all_reduce, sent_, ledger);  // gathers, and scatters
    return;
  }
  if (parallel_.moe_tp <= 1) return;
  const auto first = static_cast<std::size_t>(stage.number * parallel_.ep);
  sent_.resize(static_cast<std::size_t>(parallel_.ep));
  for (std::size_t r = 0; r < sent_.size(); ++r) {
    const double tokens = moe_->totals().rank_tokens[first + r] - rank_tokens[first + r];
    sent_[r] = tokens * model_.hidden;
  }
  stage.shard_traffic.account(GroupOp::all_gather, sent_, ledger);
  for (double& bytes : sent_) bytes *= 2;
  stage.shard_traffic.account(GroupOp::reduce_scatter, sent_, ledger);
}

}  // namespace moesim
