#include "sim/serving/step_work.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

namespace {

int requests_of(const RankBatch& batch) {
  return batch.decodes + static_cast<int>(batch.chunks.size());
}

// Micro-batches that a rank's batch is divided into; `most_tokens` is the cap of each.
int passes_of(const RankBatch& batch, int pp, int most_tokens) {
  const int full = (batch.tokens() + most_tokens - 1) / most_tokens;
  return std::clamp(std::max(requests_of(batch), full), 1, pp);
}

// Decodes that every rank runs: the smallest captured graph that holds the busiest rank's. 0:
// no padding, as in a step with prompts.
int graph_of(std::span<const AttentionRank> ranks, const std::vector<double>& passes,
             const std::vector<int>& sizes) {
  double most = 0;
  for (std::size_t d = 0; d < ranks.size(); ++d) {
    const RankBatch& batch = ranks[d].batch();
    if (!batch.chunks.empty()) return 0;
    most = std::max(most, std::ceil(batch.decodes / passes[d]));
  }
  int best = 0;
  for (const int size : sizes) {
    if (size >= most && (best == 0 || size < best)) best = size;
  }
  return best;
}

// One of the batch's passes with empty rows up to `decodes`; they read no KV.
RankBatch padded(const RankBatch& batch, double passes, int decodes, int rows_each) {
  RankBatch out = batch;
  out.idle = decodes - batch.decodes / passes;
  out.decodes = decodes;
  out.decode_tokens = decodes * rows_each;
  out.decode_context /= passes;
  return out;
}

void measure_step(std::span<const AttentionRank> ranks, int pp, int cap, StepWork& work) {
  work.tokens = work.swapped_tokens = work.requests = 0;
  work.sampled = work.prompt_tokens = 0;
  work.prefill = false;
  work.passes = 1;
  work.rank_passes.resize(ranks.size());
  work.rank_sampled.resize(ranks.size());
  for (std::size_t d = 0; d < ranks.size(); ++d) {
    const RankBatch& batch = ranks[d].batch();
    const int passes = passes_of(batch, pp, cap);
    work.passes = std::max(work.passes, passes);
    work.rank_passes[d] = passes;
    work.rank_sampled[d] = static_cast<double>(batch.sampled()) / passes;
    work.sampled = std::max(work.sampled, work.rank_sampled[d]);
    work.prompt_tokens =
        std::max(work.prompt_tokens, static_cast<double>(batch.prefill_tokens()) / passes);
    work.swapped_tokens = std::max(work.swapped_tokens, batch.swapped_tokens);
    work.tokens += batch.tokens();
    work.requests += requests_of(batch);
    work.prefill = work.prefill || !batch.chunks.empty();
  }
  work.requests = (work.requests + work.passes - 1) / work.passes;
  work.pass_tokens = work.tokens_of(work.passes - 1);
}

}  // namespace

void measure_work(std::span<const AttentionRank> ranks, const Parallelism& parallel,
                  const ServingOptions& options, const RankCosts& costs, bool two_parts,
                  StepWork& work) {
  const int cap = std::max(1, options.max_tokens_per_step / parallel.pp);
  measure_step(ranks, parallel.pp, cap, work);
  work.part = two_parts ? 0.5 : 1.0;
  const int graph = graph_of(ranks, work.rank_passes, options.graph_sizes);
  const int rows = 1 + static_cast<int>(std::ceil(options.speculative_tokens));
  const auto tp = static_cast<std::size_t>(parallel.tp);
  const double pass =
      work.tokens > 0 ? static_cast<double>(work.pass_tokens) / work.tokens : 1.0;
  work.most_tokens = 0;
  work.rank_tokens.resize(ranks.size());
  work.gpu_tokens.resize(ranks.size() * tp);
  const std::size_t kinds = costs.any().kinds();
  work.attention.resize(kinds);
  for (auto& of_kind : work.attention) of_kind.resize(ranks.size());
  for (std::size_t d = 0; d < ranks.size(); ++d) {
    const RankBatch& batch = ranks[d].batch();
    const double passes = work.rank_passes[d];
    work.rank_tokens[d] = graph > 0 ? graph * rows : batch.tokens() / passes;
    work.most_tokens = std::max(work.most_tokens, work.rank_tokens[d]);
    std::fill_n(work.gpu_tokens.begin() + static_cast<std::ptrdiff_t>(d * tp), tp,
                pass * work.part * batch.tokens() / static_cast<double>(parallel.tp));
    for (std::size_t kind = 0; kind < kinds; ++kind) {
      work.attention[kind][d] = costs.of(d, [&](const LayerCosts& gpu) {
        return graph > 0 ? gpu.attention(padded(batch, passes, graph, rows), kind, work.part)
                         : gpu.attention(batch, kind, work.part / passes);
      });
    }
  }
}

}  // namespace moesim
