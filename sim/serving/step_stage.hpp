// One pipeline stage of an instance: its layers, its GPUs and what joins them. Without a
// pipeline an instance is one stage.
#pragma once

#include <vector>

#include "sim/machine/group_traffic.hpp"
#include "sim/machine/rank_group.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/moe_network.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/step_work.hpp"

namespace moesim {

struct StepStage {
  // Stage `number` of the instance that begins at `first`. `network` is null where no tokens
  // are sent to experts. Cluster and network outlive this.
  StepStage(const ModelShape& model, const Parallelism& parallel, int number, GpuId first,
            const Cluster& cluster, MoeNetwork* moe_network);

  // [gpus of the stage] a straggler's factor on its compute time; empty: all healthy.
  void set_slowdown(std::span<const double> slowdown, const Parallelism& parallel);
  // Attention of a layer, for the part of a pass that runs at once.
  void measure_attention(const StepWork& work);

  int number;
  LayerRange layers;
  bool is_first;
  bool is_last;
  MoeNetwork* network;
  RankGroup group;   // all GPUs
  RankGroup rank;    // those of an attention rank: the first one's stand for all
  RankGroup shards;  // those of an expert rank, which share its matrices
  // What collectives send: of all GPUs [1], of the attention ranks [dp], of the experts' [ep].
  GroupTraffic group_traffic;
  GroupTraffic rank_traffic;
  GroupTraffic shard_traffic;
  std::vector<double> rank_slowdown;    // [dp]
  std::vector<double> expert_slowdown;  // [ep] or empty

  // Of the step in hand.
  std::vector<Seconds> attention;       // [kinds] of the slowest rank
  std::vector<Seconds> attention_mean;  // [kinds] over the ranks
};

}  // namespace moesim
