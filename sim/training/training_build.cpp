// How a training run is put together.
#include <fmt/format.h>

#include <algorithm>

#include "sim/base/diagnostics.hpp"
#include "sim/base/units_text.hpp"
#include "sim/serving/expert_setup.hpp"
#include "sim/serving/measured_exchange.hpp"
#include "sim/training/training_run.hpp"
#include "topology/gpu_ranges.hpp"

namespace moesim {

namespace {

std::vector<Series> timeline_columns() {
  return {{"step_time_s", SeriesKind::sample},
          {"tokens_per_s", SeriesKind::flow},
          {"balancedness", SeriesKind::sample}};
}

// An EP group as serving sees an instance.
Parallelism group_of(const TrainingLayout& layout) {
  return {.instances = 1,
          .gpus = layout.ep,
          .tp = layout.tp,
          .dp = layout.ep / layout.tp,
          .ep = layout.ep,
          .moe_tp = 1};
}

void require_fits(const TrainingMemory& m, const ModelShape& model) {
  if (m.used() <= m.usable) return;
  throw InputError(
      fmt::format("{} does not fit: a GPU of stage {} needs {} of weights, {} of gradients, {} "
                  "of optimizer state and {} of activations = {}, and may use {} of its {}",
                  model.name, m.stage, to_display(m.weights), to_display(m.gradients),
                  to_display(m.optimizer), to_display(m.activations), to_display(m.used()),
                  to_display(m.usable), to_display(m.capacity)),
      "room for all of them",
      "more cluster.nodes, training.pp, training.ep or training.tp, training.recompute = "
      "\"full\", training.shard_optimizer = true, or a smaller training.micro_batch");
}

}  // namespace

TrainingRun::TrainingRun(const TrainingDeployment& deployment)
    : deployment_(deployment),
      layout_(resolve_layout(deployment.training, deployment.model, deployment.cluster.gpus())),
      memory_(plan_training_memory(
          deployment.model, deployment.training, layout_,
          least_memory(deployment.cluster, gpus_from(GpuId{0}, layout_.gpus)),
          deployment.serving.memory_fraction)),
      ledger_(deployment.cluster.links()),
      timeline_(timeline_columns()) {
  require_fits(memory_, deployment_.model);
  costs_ =
      std::make_unique<LayerCostsByKind>(deployment_.model, group_of(layout_),
                                         deployment_.costs, gpus_from(GpuId{0}, layout_.gpus));
  gpus_.resize(static_cast<std::size_t>(layout_.gpus));
  layer_phases_.resize(static_cast<std::size_t>(deployment_.model.layers) + 1);
  build_stages();
  build_pipelines();
  build_transfers();
}

void TrainingRun::build_stages() {
  for (int s = 0; s < layout_.stages; ++s) {
    const RankGroup rank(deployment_.cluster,
                         gpus_from(GpuId{layout_.first_gpu(s)}, layout_.tp));
    stages_.emplace_back(deployment_.model, deployment_.training, layout_,
                         costs_->of(gpus_from(GpuId{layout_.first_gpu(s)}, layout_.stage_gpus)),
                         s, rank);
    gradients_.emplace_back(deployment_.model, deployment_.training, layout_,
                            deployment_.cluster, deployment_.costs, s);
  }
}

void TrainingRun::build_pipelines() {
  pipelines_.resize(static_cast<std::size_t>(layout_.replicas));
  const ModelShape& model = deployment_.model;
  if (model.experts == 0) return;
  router_ = std::make_unique<Router>(deployment_.router,
                                     router_shape(model, deployment_.router), deployment_.seed);
  const int slots = model.experts / layout_.ep;
  for (int r = 0; r < layout_.replicas; ++r) {
    Pipeline& pipeline = pipelines_[static_cast<std::size_t>(r)];
    for (int s = 0; s < layout_.stages && layout_.ep > 1; ++s) {
      pipeline.networks.push_back(std::make_unique<MoeNetwork>(
          deployment_.cluster, gpus_from(GpuId{layout_.first_gpu(s, r)}, layout_.ep), model,
          deployment_.serving, slots, std::nullopt,
          measured_exchanges(deployment_.costs, GpuId{layout_.first_gpu(s, r)})));
    }
    const int nodes =
        pipeline.networks.empty() ? 1 : pipeline.networks.front()->ranks().domains();
    // The first stage's GPUs stand for those of all stages.
    const std::vector<GpuId> ranks = gpus_from(GpuId{layout_.first_gpu(0, r)}, layout_.ep);
    const std::vector<double> speed = expert_speeds(deployment_.cluster, ranks);
    pipeline.moe = std::make_unique<MoeStep>(*router_, deployment_.placement.dispatch,
                                             costs_->experts(ranks, slots), speed);
    // Replicas hold the same experts in the same places.
    pipeline.moe->use(r == 0 ? first_placement(*router_, deployment_.placement, model.experts,
                                               nodes, layout_.ep, speed)
                             : pipelines_.front().moe->placement());
  }
}

// All GPUs of a stage send their part of a micro-batch's activations to the next stage at once,
// and get as much of gradients back.
void TrainingRun::build_transfers() {
  const Cluster& cluster = deployment_.cluster;
  for (int s = 0; s + 1 < layout_.stages; ++s) {
    const std::vector<GpuId> here = gpus_from(GpuId{layout_.first_gpu(s)}, layout_.stage_gpus);
    const std::vector<GpuId> next =
        gpus_from(GpuId{layout_.first_gpu(s + 1)}, layout_.stage_gpus);
    forth_.emplace_back(cluster, here, next);
    back_.emplace_back(cluster, next, here);
  }
  const double rows = static_cast<double>(layout_.rank_tokens) / layout_.tp;
  sent_.assign(static_cast<std::size_t>(layout_.stage_gpus),
               2.0 * rows * deployment_.model.hidden);
}

}  // namespace moesim
