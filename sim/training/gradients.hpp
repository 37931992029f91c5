// What one stage does once its gradients are summed over the micro-batches: reduce them over
// the ranks that share the weights, update, and, where the optimizer's state is divided, gather
// the new weights.
#pragma once

#include <span>
#include <vector>

#include "sim/machine/group_collective.hpp"
#include "sim/machine/ledger.hpp"
#include "sim/training/weights.hpp"
#include "topology/cluster.hpp"

namespace moesim {

class ClusterCosts;

class GradientSync {
 public:
  // The cluster outlives this.
  GradientSync(const ModelShape& model, const TrainingOptions& options,
               const TrainingLayout& layout, const Cluster& cluster, const ClusterCosts& costs,
               int stage);

  // `ready` [layers of the stage] when each layer's gradients are complete, descending in the
  // layer; `end` when the stage's last backward pass ends. Returns when all are reduced: one
  // after the other as they are ready, or, without overlap, from `end` on.
  [[nodiscard]] Seconds reduced(std::span<const Seconds> ready, Seconds end) const;
  // Memory traffic of the update, and the gathering of weights.
  [[nodiscard]] Seconds update() const { return update_ + gather_; }
  // Sum over the stage's buckets, hidden or not.
  [[nodiscard]] Seconds reduce_time() const;
  // And of gathering weights.
  [[nodiscard]] Seconds network_time() const { return reduce_time() + gather_; }
  // The bytes of one step, as rings.
  void account(LinkLedger& ledger) const;

 private:
  [[nodiscard]] Seconds exchange(GroupOp op, const TrainedWeights& weights,
                                 double bytes_each) const;

  TrainingOptions options_;
  RankGroup shared_;   // the GPUs that hold the same attention weights as the stage's first
  RankGroup experts_;  // ... the same experts
  GroupCollectives collectives_;
  std::vector<Seconds> layers_;  // reduction of each layer
  Seconds head_{0};              // ready before the layers
  Seconds embedding_{0};         // ... after them
  Seconds gather_{0};            // of weights
  Seconds update_{0};
  TrainedWeights all_;
  int tp_ = 1;
  int ep_ = 1;
  int first_gpu_ = 0;
  int stage_gpus_ = 1;
};

}  // namespace moesim
