// The layers of a step, in order: what each adds to the critical path.
#include <algorithm>

#include "sim/serving/step_model.hpp"

namespace moesim {

void StepModel::add_dense_layer(const StepStage& stage, std::size_t kind,
                                CauseSeconds& time) const {
  add_attention(stage, kind, time);
  time[Cause::collective] +=
      (all_reduce(stage, work_.most_tokens) + attention_all_reduce(stage, work_.most_tokens))
          .value;
  time[Cause::dense] += slowest(stage, [](const LayerCosts& gpu, double tokens) {
                          return gpu.dense_ffn(tokens);
                        }).value;
}

void StepModel::add_attention(const StepStage& stage, std::size_t kind,
                              CauseSeconds& time) const {
  const Seconds wait = stage.attention[kind] - stage.attention_mean[kind];
  time[Cause::attention] += (stage.attention_mean[kind] / work_.part).value;
  time[Cause::attention_straggler] += (wait / work_.part).value;
}

MoeLayerTime StepModel::moe_layer(const StepStage& stage, int layer, LinkLedger& ledger,
                                  Seconds now, LinkId& busiest) {
  const LayerShare share{.part = work_.part, .times = work_.times()};
  MoeLayerTime time = moe_->layer(layer, share, stage.expert_slowdown);
  if (stage.network != nullptr) {
    DispatchDemand& demand = moe_->demand(layer, stage.network->asks(work_.prefill));
    const auto shards = static_cast<std::size_t>(parallel_.moe_tp);
    demand.tokens.assign(work_.gpu_tokens.size() / shards, 0.0);
    for (std::size_t g = 0; g < work_.gpu_tokens.size(); ++g) {
      demand.tokens[g / shards] += time.kept * work_.gpu_tokens[g];
    }
    const ExchangeTime exchange =
        stage.network->exchange(demand, work_.prefill, ledger, now, share.times);
    const Bytes rows{time.most_tokens * model_.hidden};
    time.dispatch = exchange.dispatch + in_shards(stage, GroupOp::all_gather, rows);
    time.combine = exchange.combine + in_shards(stage, GroupOp::reduce_scatter, 2.0 * rows);
    stagger(exchange.finish, time);
    busiest = exchange.busiest;
  } else {
    exchange_whole(stage, time);
  }
  moe_->account(layer, time, share);
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

void StepModel::add_moe_layer(const StepStage& stage, const LayerParts& parts,
                              CauseSeconds& time) const {
  const double times = 1 / work_.part;  // parts, one after the other on the GPU
  Seconds dispatch = times * parts.moe.dispatch;
  Seconds combine = times * parts.moe.combine;
  if (options_.overlap == Overlap::shared_expert) {
    dispatch = std::max(Seconds{0}, dispatch - parts.shared);
  } else if (options_.overlap == Overlap::single_batch) {
    dispatch = beside(dispatch, stage.attention[parts.kind] + parts.shared);
    combine = beside(combine, parts.moe.slowest);
  } else if (work_.part < 1) {
    const Seconds compute = times * (stage.attention[parts.kind] + parts.collective +
                                     parts.shared + parts.router + parts.moe.slowest);
    const Seconds communication = dispatch + combine;
    // Beside communication, compute has the rest of the multiprocessors.
    const double held = stage.network->sm_share(work_.prefill);
    const Seconds lost = held * std::min(communication, compute / (1 - held));
    const Seconds shown = std::max(communication, compute + lost) - compute;
    const double exposed = communication.value > 0 ? shown / communication : 0.0;
    dispatch *= exposed;
    combine *= exposed;
  }
  add_attention(stage, parts.kind, time);
  time[Cause::collective] += (times * parts.collective).value;
  time[Cause::dense] += (times * (parts.shared + parts.router)).value;
  time[Cause::dispatch] += dispatch.value;
  time[Cause::expert] += (times * parts.moe.mean).value;
  time[Cause::expert_straggler] += (times * (parts.moe.slowest - parts.moe.mean)).value;
  time[Cause::combine] += combine.value;
}

void StepModel::report_layer(const StepStage& stage, const MoeLayerTime& moe, LinkId busiest,
                             StepReport& report) {
  report.dispatch += moe.dispatch / work_.part;
  report.combine += moe.combine / work_.part;
  report.experts += moe.slowest / work_.part;
  seen_.mean_tokens += moe.mean_tokens;
  seen_.most_tokens += moe.most_tokens;
  if (const Seconds wait = moe.slowest - moe.mean; wait > seen_.longest_wait) {
    seen_.longest_wait = wait;
    report.straggler_layer = seen_.moe_layers;
    report.straggler_rank = stage.number * parallel_.ep + moe.slowest_rank;
    report.straggler_expert = moe.busiest_expert;
  }
  if (moe.dispatch > seen_.longest_dispatch) {
    seen_.longest_dispatch = moe.dispatch;
    report.busiest_link = busiest;
  }
  ++seen_.moe_layers;
}

void StepModel::add_layers(const StepStage& stage, StepReport& report, LinkLedger& ledger,
                           Seconds now) {
  const double part = work_.part;
  LayerParts parts;
  if (moe_ != nullptr) {
    parts.collective = attention_all_reduce(stage, part * work_.most_tokens);
    parts.shared = slowest(stage, [&](const LayerCosts& gpu, double tokens) {
      return gpu.shared_experts(part * tokens);
    });
    parts.router = slowest(
        stage, [&](const LayerCosts& gpu, double tokens) { return gpu.router(part * tokens); });
  }
  for (int layer = stage.layers.first; layer < stage.layers.end; ++layer) {
    parts.kind = costs_.any().kind_of_layer()[static_cast<std::size_t>(layer)];
    if (is_moe_layer(model_, layer)) {
      LinkId busiest{-1};
      parts.moe =
          moe_layer(stage, seen_.moe_layers, ledger, now + Seconds{report.time.sum()}, busiest);
      add_moe_layer(stage, parts, report.time);
      report_layer(stage, parts.moe, busiest, report);
    } else {
      add_dense_layer(stage, parts.kind, report.time);
    }
    phases_.layer(layer, report.time);
  }
}

}  // namespace moesim
