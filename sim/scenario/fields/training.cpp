#include "sim/scenario/fields.hpp"
#include "sim/training/options.hpp"

namespace moesim {

const FieldTable& training_fields() {
  using O = TrainingOptions;
  static const FieldTable fields{
      "A training step: forward and backward over a global batch, gradients reduced, weights "
      "updated. Of [serving] the transport, network and memory_fraction hold here too; a "
      "capacity and what overflows are those of [router].",
      "",
      {
          field(MOESIM_KEY(global_batch), "Sequences per step, over all attention ranks")
              .range(1, 1 << 24),
          field(MOESIM_KEY(micro_batch), "Sequences that an attention rank computes at once")
              .range(1, 1 << 16),
          field(MOESIM_KEY(sequence), "Tokens of a sequence").range(1, 1 << 22),
          field(MOESIM_KEY(steps), "Steps to simulate, each with a routing of its own")
              .range(1, 1000000),
          field(MOESIM_KEY(tp), "GPUs per attention rank").range(1, 1 << 16),
          field(MOESIM_KEY(pp), "Pipeline stages, one forward one backward").range(1, 1 << 12),
          field(MOESIM_KEY(ep), "GPUs of a stage that share the experts of a layer")
              .range(1, 1 << 20)
              .unset("all GPUs of a stage"),
          choice(MOESIM_KEY(recompute), "Activations that the backward pass computes again",
                 {{"none", Recompute::none}, {"full", Recompute::full}}),
          choice(MOESIM_KEY(overlap),
                 "What hides dispatch and combine; two_batch: another micro-batch's compute",
                 {{"none", Overlap::none},
                  {"shared_expert", Overlap::shared_expert},
                  {"two_batch", Overlap::two_batch}}),
          field(MOESIM_KEY(overlap_gradients),
                "Gradients are reduced while the last backward pass goes on"),
          field(MOESIM_KEY(shard_optimizer),
                "The optimizer's state is divided over the ranks that share weights"),
          choice(MOESIM_KEY(gradients), "Number format that gradients are summed in",
                 {{"fp32", Dtype::fp32}, {"bf16", Dtype::bf16}}),
      }};
  return fields;
}

}  // namespace moesim
