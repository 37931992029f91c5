// One micro-batch on one pipeline stage: its layers forward and backward, each waiting for its
// slowest GPU.
//
//   forward  = sum over layers of attention + collectives + (dense | router + shared experts +
//              dispatch + slowest experts + combine)
//   backward = the same with every product taken twice, for the gradients of its inputs and of
//              its weights (Megatron-LM, 2104.04473, section 3.1), scores and values 2.5 times
//              (FlashAttention-2, 2307.08691, section 4.1), and the same bytes on the network:
//              a combine's gradient is dispatched, a dispatch's is combined.
//
// Full recomputation puts a forward pass before every backward one.
//
// Overlap: `shared_expert` runs the shared experts beside the dispatch; `two_batch` hides the
// communication of a pass behind the compute of another micro-batch's, as DualPipe does
// (2412.19437, section 3.2.1), so that a layer takes the longer of the two.
#pragma once

#include <vector>

#include "sim/machine/group_traffic.hpp"
#include "sim/machine/ledger.hpp"
#include "sim/serving/moe_network.hpp"
#include "sim/serving/moe_step.hpp"
#include "sim/serving/rank_costs.hpp"
#include "sim/training/layout.hpp"
#include "sim/training/phases.hpp"

namespace moesim {

// One layer, or the embedding and head of a stage.
struct LayerPasses {
  PhaseSeconds forward;
  PhaseSeconds backward;   // without what is computed again
  PhaseSeconds recompute;  // before it
  Seconds dispatch{0};     // one of them, hidden or not
  Seconds combine{0};
  Seconds experts{0};  // slowest rank, forward
};

class StageModel {
 public:
  // `costs` of the kinds of GPU that the stage has: it is as fast as its slowest. `rank` are
  // the GPUs of an attention rank. References outlive this.
  StageModel(const ModelShape& model, const TrainingOptions& options,
             const TrainingLayout& layout, std::vector<const LayerCosts*> costs, int stage,
             const RankGroup& rank);

  [[nodiscard]] LayerRange layers() const { return layers_; }

  // After moe.draw() of the micro-batch. Fills `out` [layers + 1]; the last is what belongs to
  // no layer. `moe` is null for a dense model, `network` where nothing is sent. Bytes of all
  // passes go to the ledger.
  void evaluate(MoeStep* moe, MoeNetwork* network, LinkLedger& ledger, Seconds now,
                std::vector<LayerPasses>& out);

  // The attention ranks' all-reduces of a micro-batch, all passes; of all replicas.
  void account(LinkLedger& ledger) const;

  // Seconds of compute of each GPU and micro-batch, all passes; routed experts are MoeStep's.
  [[nodiscard]] Seconds attention_seconds() const { return attention_; }
  [[nodiscard]] Seconds dense_seconds() const { return dense_; }
  // Times that the experts of a layer compute forward, for all passes together.
  [[nodiscard]] double expert_passes() const { return recomputes_ ? 4 : 3; }
  // Times that a layer dispatches and combines.
  [[nodiscard]] double exchanges() const { return recomputes_ ? 3 : 2; }

 private:
  [[nodiscard]] LayerPasses fixed_part(std::size_t kind, bool is_moe) const;
  [[nodiscard]] LayerPasses ends(int stage) const;
  void add_experts(int moe_layer, MoeStep& moe, MoeNetwork* network, LinkLedger& ledger,
                   Seconds now, LayerPasses& passes);
  void finish(LayerPasses& passes) const;
  void hide(PhaseSeconds& pass, double shared) const;

  const ModelShape& model_;
  TrainingLayout layout_;
  RankCosts costs_;  // of the stage as one
  LayerRange layers_;
  Overlap overlap_;
  bool recomputes_;
  int first_moe_layer_ = 0;
  RankGroup rank_;
  GroupTraffic rank_traffic_;  // [dp]
  GroupCollectives collectives_;
  RankBatch batch_;                 // of an attention rank
  std::vector<LayerPasses> fixed_;  // [layers + 1] all but routed experts
  std::vector<double> tokens_;      // [ep] that each GPU sends
  Seconds shared_{0};               // shared experts of a layer
  Seconds attention_{0};
  Seconds dense_{0};
};

}  // namespace moesim
