// The [serving] section: how an engine batches, and how the model is spread over GPUs.
#pragma once

#include <string>
#include <vector>

#include "sim/base/units.hpp"

namespace moesim {

enum class ServingMode { aggregated, disaggregated, training };
enum class Overlap { none, shared_expert, two_batch, single_batch };

// [serving.prefill], [serving.decode]: what a pool has of its own; 0: as [serving] says.
struct PoolOptions {
  int nodes =
      0;  // prefill has the cluster's first ones; 0: what the other pool leaves, or half
  int instances = 1;
  int pp = 0;
  int tp = 0;
  int dp = 0;
  int ep = 0;
  int max_batch = 0;
  int max_tokens_per_step = 0;

  friend bool operator==(const PoolOptions&, const PoolOptions&) = default;
};

struct ServingOptions {
  ServingMode mode = ServingMode::aggregated;
  int pp = 1;           // pipeline stages of an instance: GPUs = instances x pp x dp x tp
  int tp = 1;           // GPUs per attention rank and stage
  int dp = 0;           // attention ranks per instance; 0: all GPUs of a stage / tp
  int ep = 0;           // GPUs that share a layer's experts; 0: dp x tp
  int instances = 1;    // engines; the cluster's GPUs are divided evenly
  int max_batch = 128;  // running requests per attention rank
  int max_tokens_per_step = 8192;  // per attention rank, prefill and decode together
  bool chunked_prefill = true;
  std::string batching = "mixed";  // mixed, prefill_first
  Overlap overlap = Overlap::none;
  std::string transport = "auto";  // auto, pairwise, node_dedup, low_latency, nccl
  double overlap_sm_share = -1;    // of a GPU, held by dispatch; negative: the transport's
  std::string network = "auto";    // auto, bound, fluid, simgrid_links, simgrid_flows
  std::string balancing = "round_robin";        // over instances
  std::string rank_balancing = "least_loaded";  // over attention ranks
  double memory_fraction = 0.9;                 // of GPU memory for weights and KV
  int kv_block = 64;                            // tokens per KV block
  std::string preemption = "recompute";         // when KV runs out: recompute, swap
  Bytes swap_space{16e9};                       // host memory per GPU for swapped KV
  double prefix_hit_ratio = 0;                  // of prompt tokens found in the cache
  double speculative_tokens = 0;                // accepted draft tokens per step, mean
  int receive_interval = 1;       // decode steps between two looks at the queue of new requests
  int rank_wait = 0;              // steps that prompts wait until every attention rank has some
  int batch_wait = 0;             // steps that prompts wait until there are enough for a step
  double batch_wait_ratio = 0.5;  // enough: this share of max_tokens_per_step
  int first_chunk = 1;            // tokens that are out when the client sees the first one
  int queue_cap = 0;              // waiting requests per instance; 0: no limit
  Seconds step_overhead{-1};      // host time per step; negative: the profile's
  Seconds queue_deadline{-1};     // unscheduled requests are shed after this; negative: never
  // Decodes of a rank that an engine has graphs for: a step without prompts is padded to the
  // next one that all ranks fit in. Empty: no padding; above the largest: none either.
  std::vector<int> graph_sizes;
  std::string kv_transfer = "whole";  // from prefill to decode pools: whole, layerwise
  std::string on_failure = "retry";   // requests on a GPU that dies: retry, fail
  Seconds recovery_time{30};          // an EP group that lost GPUs stands still so long
  PoolOptions prefill;                // mode = "disaggregated"
  PoolOptions decode;
  double warmup = 0.1;  // first fraction of requests left out of the percentiles

  friend bool operator==(const ServingOptions&, const ServingOptions&) = default;
};

struct CalibrationOptions {
  std::string profile = "h200-sxm/sglang";
  std::string expert_kernel;  // part of a kernel's name; empty: the profile's choice
  friend bool operator==(const CalibrationOptions&, const CalibrationOptions&) = default;
};

// One [[fault]].
struct FaultOptions {
  Seconds at{0};
  Seconds lasts{-1};     // negative: to the end
  std::string target;    // "node5.nic1", "gpu12", "node3"
  double bandwidth = 1;  // fraction left; 0: down
  double speed = 1;      // GPUs: fraction left; 0: down

  friend bool operator==(const FaultOptions&, const FaultOptions&) = default;
};

// One [[scale]]: an instance is switched off or on. Off: it takes no new requests and ends with
// those that it has. On: it takes requests when it has warmed up.
struct ScaleOptions {
  Seconds at{0};
  int instance = 0;  // counted from 0, the prefill pool's first
  std::string to = "down";
  Seconds warm_up{60};  // loading weights, capturing graphs

  friend bool operator==(const ScaleOptions&, const ScaleOptions&) = default;
};

}  // namespace moesim
