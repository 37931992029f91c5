#include "sim/training/layout.hpp"

#include <fmt/format.h>

#include "sim/base/diagnostics.hpp"
#include "sim/serving/parallelism.hpp"

namespace moesim {

TrainingLayout resolve_layout(const TrainingOptions& options, const ModelShape& model,
                              int gpus) {
  TrainingLayout l;
  l.gpus = gpus;
  l.stages = options.pp;
  require_divides(gpus, "the cluster's GPUs", l.stages, "training.pp");
  if (l.stages > model.layers) {
    throw InputError(fmt::format("training.pp = {} stages of a model with model.layers = {}",
                                 l.stages, model.layers),
                     "at least one layer per stage");
  }
  l.stage_gpus = gpus / l.stages;
  l.tp = options.tp;
  require_divides(l.stage_gpus, "GPUs per stage", l.tp, "training.tp");
  l.dp = l.stage_gpus / l.tp;
  // A dense model has no EP groups: one pipeline stands for all, which are alike.
  l.ep = model.experts > 0 && options.ep > 0 ? options.ep : l.stage_gpus;
  require_divides(l.stage_gpus, "GPUs per stage", l.ep, "training.ep");
  require_divides(l.ep, "training.ep", l.tp, "training.tp");
  if (model.experts > 0) require_divides(model.experts, "model.experts", l.ep, "training.ep");
  l.replicas = l.stage_gpus / l.ep;
  require_divides(options.global_batch, "training.global_batch", l.dp * options.micro_batch,
                  "attention ranks x training.micro_batch");
  l.micro_batches = options.global_batch / (l.dp * options.micro_batch);
  l.rank_tokens = options.micro_batch * options.sequence;
  return l;
}

}  // namespace moesim
