// Which work goes into a step: one function per policy, looked up by name.
//
// A policy sees all attention ranks of an instance, because they step together: under
// `prefill_first` one rank's prompt turns the step into a prefill step for all.
#pragma once

#include <span>
#include <string_view>

#include "sim/base/registry.hpp"
#include "sim/serving/attention_rank.hpp"

namespace moesim {

using PlanStep = void (*)(std::span<AttentionRank> ranks, StepEvents& events);

std::span<const Entry<PlanStep>> batching_policies();

}  // namespace moesim
