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

// Between the GPUs that share an expert's matrices: each must see all of its tokens.
Seconds StepModel::in_shards(GroupOp op, Bytes bytes) const {
  if (parallel_.moe_tp <= 1 || bytes.value == 0) return Seconds{0};
  return collectives_.time(op, shards_, bytes).time;
}

template <class TimeOf>
Seconds StepModel::slowest(TimeOf time_of) const {
  Seconds most{0};
  for (std::size_t d = 0; d < rank_tokens_.size(); ++d) {
    most = std::max(most, rank_slowdown_[d] * time_of(rank_tokens_[d]));
  }
  return most;
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
