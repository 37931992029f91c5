// How one model is spread over the GPUs of an instance.
//
// An instance is one engine of pp pipeline stages, one after the other: stage s has the GPUs
// [s, s + 1) x stage_gpus() and a run of layers (layers_of). A stage is dp x tp attention GPUs
// = ep x moe_tp expert GPUs, the same GPUs seen twice. Of GPU g of a stage: the attention rank
// is g / tp, the EP rank g / moe_tp. An attention rank goes through all stages: its requests
// are computed by its GPUs of each, which hold their KV of the stage's layers.
#pragma once

#include <string_view>

#include "sim/serving/options.hpp"

namespace moesim {

struct Parallelism {
  int instances = 1;
  int gpus = 1;    // per instance = pp x dp x tp
  int tp = 1;      // GPUs per attention rank
  int dp = 1;      // attention ranks
  int ep = 1;      // ranks that share a layer's experts
  int moe_tp = 1;  // GPUs that share one expert's matrices
  int pp = 1;      // pipeline stages
  // Tokens are sent to their experts. Else every GPU has all of them, or gathers them.
  bool dispatches = false;

  [[nodiscard]] int stage_gpus() const { return gpus / pp; }
  // Of the GPU `g` of the instance.
  [[nodiscard]] int attention_rank(int g) const { return g % stage_gpus() / tp; }

  friend bool operator==(const Parallelism&, const Parallelism&) = default;
};

// Throws InputError with both names and values where `part` is below 1 or does not divide
// `whole`.
void require_divides(int whole, std::string_view whole_name, int part,
                     std::string_view part_name);

// Fills in the zeros of the options ("all of them"). Throws InputError where the numbers do not
// divide, naming both keys.
Parallelism resolve_parallelism(const ServingOptions& options, int cluster_gpus);

}  // namespace moesim
