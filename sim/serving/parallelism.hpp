// How one model is spread over the GPUs of an instance.
//
// An instance is one engine: gpus = dp x tp attention GPUs = ep x moe_tp expert GPUs, the same
// GPUs seen twice. Attention rank of GPU g: g / tp. EP rank of GPU g: g / moe_tp.
#pragma once

#include <string_view>

#include "sim/serving/options.hpp"

namespace moesim {

struct Parallelism {
  int instances = 1;
  int gpus = 1;    // per instance
  int tp = 1;      // GPUs per attention rank
  int dp = 1;      // attention ranks
  int ep = 1;      // ranks that share a layer's experts
  int moe_tp = 1;  // GPUs that share one expert's matrices
  // Tokens are sent to their experts. Else every GPU has all of them, or gathers them.
  bool dispatches = false;

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
