// The stages of an instance as a pipeline: how long a round of micro-batches takes, and what
// goes from stage to stage.
//
// With M micro-batches in flight (StepWork), a stage's time t_s for one of them and its way on
// x_s (its rows to the next stage; from the last one the sampled tokens to the first):
//
//   round = max(sum of (t_s + x_s), M x max t_s)          while rounds follow each other
//   round = sum of (t_s + x_s) + (M - 1) x max t_s        when the pipeline was empty
//
// as a request's next token needs its last one, and a stage computes one micro-batch after the
// other (GPipe, 1811.06965, section 2.3, has the same bubble). All tokens of a round come out
// at its end: a micro-batch's own end is up to (M - 1) / M of a round earlier, and requests may
// enter as much earlier too. What a round takes longer than its layers is Cause::pipeline.
//
// x_s: each GPU sends its share of the rows to the same GPU of the next stage, all at once;
// the tensor-parallel GPUs of a rank gather the shares (Megatron-LM, 2104.04473, section 4.1).
#pragma once

#include <span>
#include <vector>

#include "sim/machine/group_collective.hpp"
#include "sim/machine/pair_transfer.hpp"
#include "sim/serving/step_stage.hpp"

namespace moesim {

enum class PipelineFill { empty, running };

class Pipeline {
 public:
  Pipeline(const ModelShape& model, const Parallelism& parallel,
           std::span<const StepStage> stages);

  // x_s; none without a pipeline. `stages` as in the constructor.
  [[nodiscard]] Seconds hand_on(const StepStage& from, std::span<const StepStage> stages,
                                const StepWork& work, const GroupCollectives& collectives,
                                LinkLedger& ledger);
  // What a round takes beyond `once`, which one micro-batch needs for all stages; `slowest` is
  // the longest that a stage computes for one.
  [[nodiscard]] static Seconds bubble(Seconds once, Seconds slowest, int passes,
                                      PipelineFill fill);

 private:
  double row_bytes_;
  int tp_;
  std::vector<PairTransfer> ways_;  // [stages], or empty for one
  std::vector<double> bytes_;       // [gpus of a stage]
};

}  // namespace moesim
