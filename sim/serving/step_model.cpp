#include "sim/serving/step_model.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moesim {

namespace {

std::vector<GpuId> first_gpus(const RankGroup& rank, int count) {
  std::vector<GpuId> gpus;
  for (int g = 0; g < count; ++g) gpus.emplace_back(rank.gpus().front().value + g);
  return gpus;
}

}  // namespace

StepModel::StepModel(const ModelShape& model, const Parallelism& parallel,
                     const ServingOptions& options, const LayerCosts& costs, MoeStep* moe,
                     MoeNetwork* network, RankGroup rank, RankGroup group)
    : model_(model),
      parallel_(parallel),
      options_(options),
      costs_(costs),
      moe_(moe),
      network_(network),
      rank_(std::move(rank)),
      group_(std::move(group)),
      shards_(rank_.cluster(), first_gpus(rank_, parallel.moe_tp)),
      collectives_(rank_.cluster().gpu(GpuId{0}).name),
      phases_(model.layers) {
  const auto gpus = static_cast<std::size_t>(parallel.gpus);
  const auto dp = static_cast<std::size_t>(parallel.dp);
  attention_busy_.resize(gpus);
  dense_busy_.resize(gpus);
  gpu_tokens_.resize(gpus);
  rank_tokens_.resize(dp);
  rank_slowdown_.assign(dp, 1.0);
  core_.assign(costs.kinds(), std::vector<Seconds>(dp));
  attention_.resize(costs.kinds());
  attention_mean_.resize(costs.kinds());
}

void StepModel::set_slowdown(const std::vector<double>& slowdown) {
  rank_slowdown_.assign(rank_slowdown_.size(), 1.0);
  expert_slowdown_.assign(slowdown.empty() ? 0 : static_cast<std::size_t>(parallel_.ep), 1.0);
  for (std::size_t g = 0; g < slowdown.size(); ++g) {
    double& rank = rank_slowdown_[g / static_cast<std::size_t>(parallel_.tp)];
    double& expert = expert_slowdown_[g / static_cast<std::size_t>(parallel_.moe_tp)];
    rank = std::max(rank, slowdown[g]);
    expert = std::max(expert, slowdown[g]);
  }
}

namespace {

// Decodes that every rank runs: the smallest captured graph that holds the busiest rank's. 0:
// no padding, as in a step with prompts.
int graph_of(std::span<const AttentionRank> ranks, const std::vector<int>& sizes) {
  int most = 0;
  for (const AttentionRank& rank : ranks) {
    if (!rank.batch().chunks.empty()) return 0;
    most = std::max(most, rank.batch().decodes);
  }
  int best = 0;
  for (const int size : sizes) {
    if (size >= most && (best == 0 || size < best)) best = size;
  }
  return best;
}

// The batch with empty rows up to `decodes`; they read no KV.
RankBatch padded(const RankBatch& batch, int decodes, int rows_each) {
  RankBatch out = batch;
  out.decodes = decodes;
  out.decode_tokens = decodes * rows_each;
  return out;
}

}  // namespace

void StepModel::measure_ranks(std::span<const AttentionRank> ranks) {
  tokens_ = 0;
  most_tokens_ = 0;
  prefill_ = false;
  const int graph = graph_of(ranks, options_.graph_sizes);
  const int rows = 1 + static_cast<int>(std::ceil(options_.speculative_tokens));
  for (std::size_t d = 0; d < ranks.size(); ++d) {
    const RankBatch& batch = ranks[d].batch();
    rank_tokens_[d] = graph > 0 ? graph * rows : batch.tokens();
    tokens_ += batch.tokens();
    most_tokens_ = std::max(most_tokens_, rank_tokens_[d]);
    prefill_ = prefill_ || !batch.chunks.empty();
  }
  part_ = options_.overlap == Overlap::two_batch && network_ != nullptr ? 0.5 : 1.0;
  const auto tp = static_cast<std::size_t>(parallel_.tp);
  for (std::size_t g = 0; g < gpu_tokens_.size(); ++g) {
    gpu_tokens_[g] = part_ * ranks[g / tp].batch().tokens() / static_cast<double>(parallel_.tp);
  }
  for (std::size_t kind = 0; kind < core_.size(); ++kind) {
    attention_[kind] = Seconds{0};
    attention_mean_[kind] = Seconds{0};
    for (std::size_t d = 0; d < ranks.size(); ++d) {
      const Seconds core =
          graph > 0 ? costs_.attention(padded(ranks[d].batch(), graph, rows), kind, part_)
                    : costs_.attention(ranks[d].batch(), kind, part_);
      core_[kind][d] = rank_slowdown_[d] * core;
      attention_[kind] = std::max(attention_[kind], core_[kind][d]);
      attention_mean_[kind] += core_[kind][d] / static_cast<double>(ranks.size());
    }
    attention_mean_[kind] = std::min(attention_mean_[kind], attention_[kind]);
  }
}

void StepModel::account_busy(std::span<const AttentionRank> ranks) {
  const auto tp = static_cast<std::size_t>(parallel_.tp);
  const double dense_layers = model_.layers - (moe_ == nullptr ? 0 : moe_layer_count(model_));
  const double moe_layers = model_.layers - dense_layers;
  for (std::size_t d = 0; d < ranks.size(); ++d) {
    Seconds attention{0};
    for (const std::uint8_t kind : costs_.kind_of_layer()) attention += core_[kind][d] / part_;
    const double tokens = rank_tokens_[d];
    const Seconds dense =
        rank_slowdown_[d] *
        (dense_layers * costs_.dense_ffn(tokens) +
         moe_layers * (costs_.shared_experts(tokens) + costs_.router(tokens)) +
         costs_.ends(tokens, ranks[d].batch().sampled()));
    for (std::size_t g = d * tp; g < (d + 1) * tp; ++g) {
      attention_busy_[g] += attention.value;
      dense_busy_[g] += dense.value;
    }
  }
}

StepReport StepModel::evaluate(std::span<const AttentionRank> ranks,
                               std::span<const double> share, LinkLedger& ledger, Seconds now) {
  StepReport report;
  measure_ranks(ranks);
  report.tokens = static_cast<int>(tokens_);
  double sampled = 0;
  int sequences = 0;  // every rank has a scheduler of its own: the busiest counts
  int requests = 0;
  double prompt_tokens = 0;  // of the rank with most
  int swapped = 0;           // likewise
  for (const AttentionRank& rank : ranks) {
    prompt_tokens = std::max<double>(prompt_tokens, rank.batch().prefill_tokens());
    sampled = std::max(sampled, static_cast<double>(rank.batch().sampled()));
    sequences = std::max(sequences, rank.batch().sampled());
    swapped = std::max(swapped, rank.batch().swapped_tokens);
    requests += rank.batch().decodes + static_cast<int>(rank.batch().chunks.size());
  }
  report.time[Cause::dense] = slowest([&](double tokens) {
                                return costs_.ends(tokens, std::min(tokens, sampled));
                              }).value;
  const Seconds host =
      options_.step_overhead.value >= 0
          ? options_.step_overhead
          : costs_.host_overhead(static_cast<double>(sequences), prompt_tokens) +
                static_cast<double>(model_.layers) * costs_.layer_overhead();
  report.time[Cause::host] = host.value;
  report.time[Cause::kv_transfer] = swapped * swap_per_token_.value;
  report.prefill = prefill_;
  phases_.begin(report.time);
  if (moe_ != nullptr) {
    moe_->draw({.tokens = report.tokens, .share = share, .requests = requests}, now);
    ledger.repeat(1 / part_);
    add_moe_layers(report, ledger, now);
  } else {
    add_dense_layers(report.time);
  }
  account_busy(ranks);
  return report;
}

}  // namespace moesim
