// The layers of a step, in order: what each adds to the critical path.
#include <algorithm>

#include "sim/serving/step_model.hpp"

namespace moesim {

// Between the GPUs that share an expert's matrices: each must see all of its tokens.
Seconds StepModel::in_shards(GroupOp op, Bytes bytes) const {
  if (parallel_.moe_tp <= 1 || bytes.value == 0) return Seconds{0};
  return collectives_.time(op, shards_, bytes).time;
}

// Of one bf16 row per token.
Seconds StepModel::all_reduce(double tokens) const {
  if (parallel_.tp <= 1 || tokens == 0) return Seconds{0};
  return collectives_.time(GroupOp::all_reduce, rank_, Bytes{2.0 * tokens * model_.hidden})
      .time;
}

// Without a dispatch every GPU computes its part of every token. One attention rank has them
// all and adds the parts up; several gather each other's tokens first (padded to the longest)
// and scatter the sums.
void StepModel::exchange_whole(MoeLayerTime& time) const {
  if (parallel_.dp == 1) {
    time.combine = all_reduce(most_tokens_);
    return;
  }
  const Bytes rows{2.0 * most_tokens_ * parallel_.dp * model_.hidden};
  time.dispatch = collectives_.time(GroupOp::all_gather, group_, rows).time;
  time.combine = collectives_.time(GroupOp::reduce_scatter, group_, rows).time;
}

void StepModel::add_dense_layer(std::size_t kind, CauseSeconds& time) const {
  add_attention(kind, time);
  time[Cause::collective] += (2.0 * all_reduce(most_tokens_)).value;
  time[Cause::dense] += slowest([&](double tokens) { return costs_.dense_ffn(tokens); }).value;
}

void StepModel::add_dense_layers(CauseSeconds& time) {
  for (int layer = 0; layer < model_.layers; ++layer) {
    add_dense_layer(costs_.kind_of_layer()[static_cast<std::size_t>(layer)], time);
    phases_.layer(layer, time);
  }
}

void StepModel::add_attention(std::size_t kind, CauseSeconds& time) const {
  const Seconds wait = attention_[kind] - attention_mean_[kind];
  time[Cause::attention] += (attention_mean_[kind] / part_).value;
  time[Cause::attention_straggler] += (wait / part_).value;
}

MoeLayerTime StepModel::moe_layer(int layer, LinkLedger& ledger, Seconds now, LinkId& busiest) {
  MoeLayerTime time = moe_->layer(layer, part_, expert_slowdown_);
  if (network_ != nullptr) {
    DispatchDemand& demand = moe_->demand(layer);
    const auto shards = static_cast<std::size_t>(parallel_.moe_tp);
    demand.tokens.assign(gpu_tokens_.size() / shards, 0.0);
    for (std::size_t g = 0; g < gpu_tokens_.size(); ++g) {
      demand.tokens[g / shards] += time.kept * gpu_tokens_[g];
    }
    const ExchangeTime exchange = network_->exchange(demand, prefill_, ledger, now, 1 / part_);
    const Bytes rows{time.most_tokens * model_.hidden};
    time.dispatch = exchange.dispatch + in_shards(GroupOp::all_gather, rows);
    time.combine = exchange.combine + in_shards(GroupOp::reduce_scatter, 2.0 * rows);
    stagger(exchange.finish, time);
    busiest = exchange.busiest;
  } else {
    exchange_whole(time);
  }
  moe_->account(layer, time, part_);
  return time;
}

// Experts begin as their GPU's rows are there; `finish` [ranks] of the dispatch.
void StepModel::stagger(std::span<const Seconds> finish, MoeLayerTime& time) const {
  const std::span<const Seconds> experts = moe_->rank_times();
  if (finish.size() != experts.size() || parallel_.moe_tp > 1 ||
      options_.overlap != Overlap::none) {
    return;
  }
  Seconds end{0};
  for (std::size_t r = 0; r < finish.size(); ++r) {
    if (finish[r] + experts[r] < end) continue;
    end = finish[r] + experts[r];
    time.slowest_rank = static_cast<int>(r);
  }
  time.slowest = std::clamp(end - time.dispatch, Seconds{0}, time.slowest);
  time.mean = std::min(time.mean, time.slowest);
}

namespace {

// What of the communication shows when its rows go in tiles beside `compute`.
Seconds beside(Seconds communication, Seconds compute) {
  constexpr double kTiles = 4;
  return communication - (kTiles - 1) / kTiles * std::min(communication, compute);
}

}  // namespace

void StepModel::add_moe_layer(const LayerParts& parts, CauseSeconds& time) const {
  const double times = 1 / part_;  // micro-batches, one after the other on the GPU
  Seconds dispatch = times * parts.moe.dispatch;
  Seconds combine = times * parts.moe.combine;
  if (options_.overlap == Overlap::shared_expert) {
    dispatch = std::max(Seconds{0}, dispatch - parts.shared);
  } else if (options_.overlap == Overlap::single_batch) {
    dispatch = beside(dispatch, attention_[parts.kind] + parts.shared);
    combine = beside(combine, parts.moe.slowest);
  } else if (part_ < 1) {
    const Seconds compute = times * (attention_[parts.kind] + parts.collective + parts.shared +
                                     parts.router + parts.moe.slowest);
    const Seconds communication = dispatch + combine;
    const double exposed =
        communication > compute ? (communication - compute) / communication : 0.0;
    dispatch *= exposed;
    combine *= exposed;
  }
  add_attention(parts.kind, time);
  time[Cause::collective] += (times * parts.collective).value;
  time[Cause::dense] += (times * (parts.shared + parts.router)).value;
  time[Cause::dispatch] += dispatch.value;
  time[Cause::expert] += (times * parts.moe.mean).value;
  time[Cause::expert_straggler] += (times * (parts.moe.slowest - parts.moe.mean)).value;
  time[Cause::combine] += combine.value;
}

void StepModel::add_moe_layers(StepReport& report, LinkLedger& ledger, Seconds now) {
  LayerParts parts;
  parts.collective = all_reduce(part_ * most_tokens_);
  parts.shared = slowest([&](double tokens) { return costs_.shared_experts(part_ * tokens); });
  parts.router = slowest([&](double tokens) { return costs_.router(part_ * tokens); });
  Seconds longest_wait{-1};
  Seconds longest_dispatch{-1};
  double mean_tokens = 0;
  double most_tokens = 0;
  int moe_layer_index = 0;
  for (int layer = 0; layer < model_.layers; ++layer) {
    const std::size_t kind = costs_.kind_of_layer()[static_cast<std::size_t>(layer)];
    if (!is_moe_layer(model_, layer)) {
      add_dense_layer(kind, report.time);
      phases_.layer(layer, report.time);
      continue;
    }
    LinkId busiest{-1};
    parts.kind = kind;
    parts.moe = moe_layer(moe_layer_index, ledger, now + Seconds{report.time.sum()}, busiest);
    add_moe_layer(parts, report.time);
    phases_.layer(layer, report.time);
    report.dispatch += parts.moe.dispatch / part_;
    report.combine += parts.moe.combine / part_;
    report.experts += parts.moe.slowest / part_;
    mean_tokens += parts.moe.mean_tokens;
    most_tokens += parts.moe.most_tokens;
    if (const Seconds wait = parts.moe.slowest - parts.moe.mean; wait > longest_wait) {
      longest_wait = wait;
      report.straggler_layer = moe_layer_index;
      report.straggler_rank = parts.moe.slowest_rank;
      report.straggler_expert = parts.moe.busiest_expert;
    }
    if (parts.moe.dispatch > longest_dispatch) {
      longest_dispatch = parts.moe.dispatch;
      report.busiest_link = busiest;
    }
    ++moe_layer_index;
  }
  if (most_tokens > 0) report.balancedness = mean_tokens / most_tokens;
}

}  // namespace moesim
