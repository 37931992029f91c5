#include "sim/serving/step_stage.hpp"

#include <algorithm>

#include "topology/gpu_ranges.hpp"

namespace moesim {

StepStage::StepStage(const ModelShape& model, const Parallelism& parallel, int number_,
                     GpuId first, const Cluster& cluster, MoeNetwork* moe_network)
    : number(number_),
      layers(layers_of(model, parallel.pp, number_)),
      is_first(number_ == 0),
      is_last(number_ + 1 == parallel.pp),
      network(moe_network),
      group(cluster, gpus_from(GpuId{first.value + number * parallel.stage_gpus()},
                               parallel.stage_gpus())),
      rank(cluster, gpus_from(group.gpus().front(), parallel.tp)),
      shards(cluster, gpus_from(group.gpus().front(), parallel.moe_tp)),
      group_traffic(cluster, groups_from(group.gpus().front(), parallel.stage_gpus(), 1)),
      rank_traffic(cluster, groups_from(group.gpus().front(), parallel.tp, parallel.dp)),
      shard_traffic(cluster, groups_from(group.gpus().front(), parallel.moe_tp, parallel.ep)),
      rank_slowdown(static_cast<std::size_t>(parallel.dp), 1.0) {}

void StepStage::set_slowdown(std::span<const double> slowdown, const Parallelism& parallel) {
  std::ranges::fill(rank_slowdown, 1.0);
  expert_slowdown.assign(slowdown.empty() ? 0 : static_cast<std::size_t>(parallel.ep), 1.0);
  for (std::size_t g = 0; g < slowdown.size(); ++g) {
    double& of_rank = rank_slowdown[g / static_cast<std::size_t>(parallel.tp)];
    double& of_expert = expert_slowdown[g / static_cast<std::size_t>(parallel.moe_tp)];
    of_rank = std::max(of_rank, slowdown[g]);
    of_expert = std::max(of_expert, slowdown[g]);
  }
}

void StepStage::measure_attention(const StepWork& work) {
  attention.assign(work.attention.size(), Seconds{0});
  attention_mean.assign(work.attention.size(), Seconds{0});
  for (std::size_t kind = 0; kind < attention.size(); ++kind) {
    const std::vector<Seconds>& healthy = work.attention[kind];
    for (std::size_t d = 0; d < healthy.size(); ++d) {
      const Seconds time = rank_slowdown[d] * healthy[d];
      attention[kind] = std::max(attention[kind], time);
      attention_mean[kind] += time / static_cast<double>(healthy.size());
    }
    attention_mean[kind] = std::min(attention_mean[kind], attention[kind]);
  }
}

}  // namespace moesim
