#include "sim/serving/step_model.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

StepModel::StepModel(const ModelShape& model, const Parallelism& parallel,
                     const ServingOptions& options, RankCosts costs, MoeStep* moe,
                     std::vector<StepStage> stages)
    : model_(model),
      parallel_(parallel),
      options_(options),
      costs_(std::move(costs)),
      moe_(moe),
      stages_(std::move(stages)),
      pipeline_(model, parallel, stages_),
      collectives_(stages_.front().group.gpu_name()),
      phases_(model.layers) {
  attention_busy_.resize(static_cast<std::size_t>(parallel.gpus));
  dense_busy_.resize(static_cast<std::size_t>(parallel.gpus));
}

void StepModel::set_slowdown(const std::vector<double>& slowdown) {
  const auto gpus = static_cast<std::size_t>(parallel_.stage_gpus());
  const std::span<const double> all(slowdown);
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    stages_[s].set_slowdown(all.empty() ? all : all.subspan(s * gpus, gpus), parallel_);
  }
}

namespace {

// Embedding at the first stage, head and sampling at the last.
Seconds ends_of(const LayerCosts& gpu, const StepStage& stage, double tokens, double sampled) {
  if (stage.is_first) return gpu.ends(tokens, stage.is_last ? sampled : 0);
  if (!stage.is_last) return Seconds{0};
  return gpu.ends(tokens, sampled) - gpu.ends(tokens, 0);
}

}  // namespace

Seconds StepModel::ends(const StepStage& stage) const {
  return slowest(stage, [&](const LayerCosts& gpu, double tokens) {
    return ends_of(gpu, stage, tokens, std::min(tokens, work_.sampled));
  });
}

// Of one micro-batch in these layers; the first stage's host schedules it.
Seconds StepModel::host_time(LayerRange layers, bool schedules) const {
  if (options_.step_overhead.value >= 0) {
    return schedules ? options_.step_overhead : Seconds{0};
  }
  return costs_.slowest([&](const LayerCosts& gpu) {
    const Seconds gaps = static_cast<double>(layers.count()) * gpu.layer_overhead();
    // Every rank has a scheduler of its own: the busiest counts.
    return schedules ? gpu.host_overhead(work_.sampled, work_.prompt_tokens) + gaps : gaps;
  });
}

// What a step takes before its first layer, or after its last.
void StepModel::begin(StepReport& report) {
  for (const StepStage& stage : stages_) {
    report.time[Cause::dense] += ends(stage).value;
  }
  report.time[Cause::host] = host_time(all_layers(model_), true).value;
  report.time[Cause::kv_transfer] = work_.swapped_tokens * swap_per_token_.value;
  phases_.begin(report.time);
}

void StepModel::draw(std::span<const double> share, Seconds now) {
  for (int pass = 0; pass < work_.passes; ++pass) {
    moe_->draw({.tokens = work_.tokens_of(pass), .share = share, .requests = work_.requests},
               now);
  }
}

void StepModel::account_busy(const StepStage& stage) {
  const auto tp = static_cast<std::size_t>(parallel_.tp);
  const double moe_layers = moe_ == nullptr ? 0 : moe_layer_count(model_, stage.layers);
  const double dense_layers = stage.layers.count() - moe_layers;
  const auto first = static_cast<std::size_t>(stage.number * parallel_.stage_gpus());
  for (std::size_t d = 0; d < work_.rank_tokens.size(); ++d) {
    Seconds attention{0};
    for (int layer = stage.layers.first; layer < stage.layers.end; ++layer) {
      const std::size_t kind = costs_.any().kind_of_layer()[static_cast<std::size_t>(layer)];
      attention += stage.rank_slowdown[d] * work_.attention[kind][d] / work_.part;
    }
    const double tokens = work_.rank_tokens[d];
    const Seconds dense = stage.rank_slowdown[d] * costs_.of(d, [&](const LayerCosts& gpu) {
      return dense_layers * gpu.dense_ffn(tokens) +
             moe_layers * (gpu.shared_experts(tokens) + gpu.router(tokens)) +
             ends_of(gpu, stage, tokens, work_.rank_sampled[d]);
    });
    for (std::size_t g = first + d * tp; g < first + (d + 1) * tp; ++g) {
      attention_busy_[g] += (work_.rank_passes[d] * attention).value;
      dense_busy_[g] += (work_.rank_passes[d] * dense).value;
    }
  }
}

StepReport StepModel::evaluate(std::span<const AttentionRank> ranks,
                               std::span<const double> share, LinkLedger& ledger, Seconds now,
                               PipelineFill fill) {
  const bool sends = stages_.front().network != nullptr;
  measure_work(ranks, parallel_, options_, costs_,
               options_.overlap == Overlap::two_batch && sends, work_);
  StepReport report;
  report.tokens = work_.tokens;
  report.prefill = work_.prefill;
  begin(report);
  seen_ = {};
  if (moe_ != nullptr) {
    draw(share, now);
    expert_tokens_ = moe_->totals().rank_tokens;
  }
  ledger.repeat(work_.times());
  Seconds longest{0};  // that a stage computes
  for (StepStage& stage : stages_) {
    stage.measure_attention(work_);
    const double before = report.time.sum();
    add_layers(stage, report, ledger, now);
    account_busy(stage);
    if (stages_.size() == 1) break;
    longest = std::max(longest, Seconds{report.time.sum() - before} + ends(stage) +
                                    host_time(stage.layers, stage.is_first));
    report.time[Cause::pipeline] +=
        pipeline_.hand_on(stage, stages_, work_, collectives_, ledger).value;
  }
  ledger.repeat(1);  // what others book is theirs alone
  for (const StepStage& stage : stages_) {
    account_ranks(stage, ledger);
    account_experts(stage, expert_tokens_, ledger);
  }
  const Seconds once{report.time.sum() - report.time[Cause::kv_transfer]};
  report.time[Cause::pipeline] += Pipeline::bubble(once, longest, work_.passes, fill).value;
  if (seen_.most_tokens > 0) report.balancedness = seen_.mean_tokens / seen_.most_tokens;
  return report;
}

}  // namespace moesim
