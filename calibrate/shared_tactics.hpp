// Curves whose benchmark may have run them untuned.
//
// The benchmark of TensorRT-LLM's experts (ai-dynamo/aiconfigurator @095f58a,
// collector/trtllm/collect_moe.py) keeps the tactics that the engine's autotuner found in a
// file named by number format, hidden size, and width and count of experts on one GPU. A shape
// that finds a file tunes no more, though the tactics in it may be another layer's or another
// parallelism's, which do not apply: it then runs by the default tactic. Which of the shapes
// that share a file came first is not known. All curves of gated experts that are 1.5 to 6
// times slower than their neighbours in fp8 and bf16 on H100, H200 and B200 are of such shapes.
// Block-scaled fp8 has one kernel, no tactics to choose from.
#pragma once

#include <set>
#include <tuple>
#include <vector>

#include "calibrate/expert_points.hpp"

namespace moesim {

// Hidden size, width, experts and top_k on one GPU; tensor and expert parallelism.
using ExpertCase = std::tuple<int, int, int, int, int, int>;
ExpertCase case_of(const ExpertShapeCurve& curve);

// Of rows of one format: the cases that share their file of tactics with another one.
std::set<ExpertCase> share_tactics(const std::vector<const ExpertRow*>& rows);

}  // namespace moesim
