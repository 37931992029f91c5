#include "sim/serving/batching/batching.hpp"

#include <algorithm>
#include <array>

namespace moesim {

namespace {

// vLLM's default scheduler: decodes first, the rest of the token budget goes to prompts.
void plan_mixed(std::span<AttentionRank> ranks, StepEvents& events) {
  for (AttentionRank& rank : ranks) {
    rank.begin_step();
    rank.plan_decodes(events);
    rank.plan_prefill(events);
  }
}

// SGLang's default scheduler: while there is a prompt to run, a step holds prompts only.
void plan_prefill_first(std::span<AttentionRank> ranks, StepEvents& events) {
  const bool prefill = std::ranges::any_of(
      ranks, [](const AttentionRank& rank) { return rank.has_prefill_work(); });
  bool planned = false;
  for (AttentionRank& rank : ranks) {
    rank.begin_step();
    if (!prefill) continue;
    rank.plan_prefill(events);
    planned = planned || rank.batch().tokens() > 0;
  }
  if (planned) return;
  for (AttentionRank& rank : ranks) rank.plan_decodes(events);
}

constexpr std::array<Entry<PlanStep>, 2> kPolicies{{
    {"mixed", "decodes first, prompts share the rest of the step (vLLM, TensorRT-LLM)",
     plan_mixed},
    {"prefill_first", "prompts before decodes, never in one step (SGLang)", plan_prefill_first},
}};

}  // namespace

std::span<const Entry<PlanStep>> batching_policies() { return kPolicies; }

}  // namespace moesim
