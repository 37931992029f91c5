// What the batches of the attention ranks ask of one pass through the layers.
//
// Without a pipeline a step is one pass. With pp stages the engine keeps up to pp micro-batches
// in flight, each on another stage: a step is then a round of `passes` micro-batches, and what
// is told here is of one of them. A rank divides its requests over as many as it has requests,
// or as its prompt tokens fill (max_tokens_per_step / pp each): prompts are divided too, as
// engines with chunked prefill do. Ranks with fewer requests than others are in fewer of them.
//
// two_batch divides a pass once more, in two parts that follow each other on the same GPUs.
#pragma once

#include <span>
#include <vector>

#include "sim/serving/attention_rank.hpp"
#include "sim/serving/rank_costs.hpp"

namespace moesim {

struct StepWork {
  // Of the whole step.
  int tokens = 0;
  int swapped_tokens = 0;  // of the rank with most
  bool prefill = false;    // it holds prompt tokens
  int passes = 1;          // micro-batches of the round

  // Of one pass.
  double part = 1;      // of it that runs at once: 1/2 with two_batch
  int pass_tokens = 0;  // of all ranks; of the fullest pass
  int requests = 0;
  double sampled = 0;                // of the rank with most
  double prompt_tokens = 0;          // likewise
  double most_tokens = 0;            // likewise, with padding
  std::vector<double> rank_tokens;   // [dp] with padding
  std::vector<double> rank_sampled;  // [dp]
  std::vector<double> rank_passes;   // [dp] that the rank has tokens in
  std::vector<double> gpu_tokens;    // [gpus of a stage] what a GPU sends, for the part
  std::vector<std::vector<Seconds>> attention;  // [kinds][dp] of one layer, for the part

  // Parts that the step computes of each layer.
  [[nodiscard]] double times() const {
    return pass_tokens > 0 ? static_cast<double>(tokens) / pass_tokens / part : 1 / part;
  }
  // Tokens of pass `i` of the round; the last is the fullest.
  [[nodiscard]] int tokens_of(int i) const {
    const auto until = [&](std::int64_t n) { return static_cast<int>(tokens * n / passes); };
    return until(i + 1) - until(i);
  }
};

// Fills `work`, whose vectors keep their room. `two_parts`: two_batch holds.
void measure_work(std::span<const AttentionRank> ranks, const Parallelism& parallel,
                  const ServingOptions& options, const RankCosts& costs, bool two_parts,
                  StepWork& work);

}  // namespace moesim
