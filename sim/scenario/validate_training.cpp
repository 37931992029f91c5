// Whether a training step can be spread over the GPUs, and fits in them.
#include <fmt/format.h>

#include <algorithm>

#include "sim/base/units_text.hpp"
#include "sim/scenario/contradictions.hpp"
#include "sim/scenario/validate.hpp"
#include "sim/training/weights.hpp"

namespace moesim {

namespace {

void check_unsupported(const Scenario& s, Contradictions& tell) {
  if (s.placement.redundant_experts > 0) {
    tell.error({"placement.redundant_experts", "serving.mode"},
               "redundant experts would be trained apart",
               "placement.redundant_experts = 0 in training");
  }
  if (!s.faults.empty()) {
    tell.error({"fault[0]", "serving.mode"}, "faults are not simulated in training",
               "no [[fault]], or another serving.mode");
  }
  if (!s.scales.empty()) {
    tell.error({"scale[0]", "serving.mode"}, "a training job is not scaled",
               "no [[scale]], or another serving.mode");
  }
  const RebalanceOptions& rebalance = s.placement.rebalance;
  if (rebalance.every_steps > 0 || rebalance.below_balancedness > 0) {
    tell.error({"placement.rebalance", "serving.mode"}, "experts are not moved in training",
               "no placement.rebalance, or another serving.mode");
  }
}

void check_memory(const Scenario& s, const TrainingLayout& layout, Contradictions& tell) {
  Bytes least = node_kinds(s.cluster).front().gpu.memory;
  for (const NodeKind& kind : node_kinds(s.cluster)) least = std::min(least, kind.gpu.memory);
  const TrainingMemory m =
      plan_training_memory(s.model, s.training, layout, least, s.serving.memory_fraction);
  if (m.used() <= m.usable) return;
  tell.error({"training.micro_batch", "training.pp", "training.ep", "cluster.nodes"},
             fmt::format("the model does not fit: a GPU of stage {} needs {} of weights, {} of "
                         "gradients, {} of optimizer state and {} of activations = {}, and may "
                         "use {} of its {}",
                         m.stage, to_display(m.weights), to_display(m.gradients),
                         to_display(m.optimizer), to_display(m.activations),
                         to_display(m.used()), to_display(m.usable), to_display(m.capacity)),
             "more GPUs, training.pp, training.ep or training.tp, training.recompute = "
             "\"full\", training.shard_optimizer = true, or a smaller training.micro_batch");
}

}  // namespace

void validate_training(const Scenario& s, Contradictions& tell) {
  if (s.serving.mode != ServingMode::training) {
    if (s.training == TrainingOptions{}) return;
    tell.warning({"training", "serving.mode"},
                 "[training] has no effect while requests are served",
                 "serving.mode = \"training\"");
    return;
  }
  check_unsupported(s, tell);
  if (s.model.attention.heads % s.training.tp != 0) {
    tell.error({"training.tp", "model.attention.heads"},
               fmt::format("{} attention heads do not divide over tp = {} GPUs",
                           s.model.attention.heads, s.training.tp),
               "model.attention.heads = a multiple of training.tp");
  }
  try {
    const auto gpus = static_cast<int>(gpu_count(s.cluster));
    check_memory(s, resolve_layout(s.training, s.model, gpus), tell);
  } catch (const InputError& e) {
    for (const Diagnostic& d : e.diagnostics()) {
      tell.error({"training"}, d.message, d.expected, d.hint);
    }
  }
}

}  // namespace moesim
