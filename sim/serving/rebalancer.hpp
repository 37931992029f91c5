// Moves the experts of one instance to where the traffic of the past window wants them.
//
// The window is the steps since the last rebalance; its counts are the weights of the new
// placement. Weights travel as flows over the cluster's links, or from each GPU's host memory;
// a layer keeps its old placement until all its copies are there. Migration shares links with
// KV transfers, dispatch and combine; all that one GPU copies to another is one flow. In a
// pipeline a layer's experts move between the GPUs of the stage that holds the layer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/machine/machine.hpp"
#include "sim/machine/transfers.hpp"
#include "sim/model/shape.hpp"
#include "sim/placement/rebalance.hpp"
#include "sim/serving/gpu_health.hpp"
#include "sim/serving/moe_step.hpp"
#include "sim/serving/parallelism.hpp"
#include "sim/serving/step_model.hpp"

namespace moesim {

struct RebalanceTotals {
  std::int64_t rebalances = 0;
  std::int64_t experts = 0;  // copied to a GPU
  Bytes bytes{0};            // = experts x bytes of one
};

struct RebalanceHooks {
  std::function<void()> halt;  // serving waits from here ...
  std::function<void()> resume;
  std::function<void(const Incident&)> done;
};

class Rebalancer {
 public:
  // `first` is the instance's first GPU, `nodes` its domains. References outlive this.
  Rebalancer(const PlacementOptions& options, const ModelShape& model,
             const Parallelism& parallel, GpuId first, int nodes, const Cluster& cluster,
             Machine& machine, Transfers& transfers, Router& router, MoeStep& moe,
             RebalanceHooks hooks);

  void step_ended(const StepReport& report);
  void cancel();  // what has not switched yet keeps its placement
  [[nodiscard]] const RebalanceTotals& totals() const { return totals_; }

 private:
  void begin();
  [[nodiscard]] Placement wanted();
  void begin_stage();
  void copy(const MigrationStage& stage);
  void try_finish_stage();
  void open_window();
  [[nodiscard]] std::vector<Flow> flows_of(const MigrationStage& stage) const;
  [[nodiscard]] Seconds host_time(const MigrationStage& stage) const;
  // An expert rank of the pipeline stage that holds the layer, counted over all stages.
  [[nodiscard]] int rank_of(int layer, int rank) const {
    return holder_[static_cast<std::size_t>(layer)] * parallel_.ep + rank;
  }

  PlacementOptions options_;
  const ModelShape& model_;
  Parallelism parallel_;
  std::vector<int> holder_;  // [MoE layers] the pipeline stage of each
  GpuId first_;
  int nodes_;
  const Cluster& cluster_;
  Machine& machine_;
  Transfers& transfers_;
  Router& router_;
  MoeStep& moe_;
  RebalanceHooks hooks_;

  std::vector<std::int64_t> seen_;  // [layers * experts] when the window began
  int steps_ = 0;                   // of the window
  double tokens_ = 0;
  double balanced_tokens_ = 0;  // sum of tokens x balancedness

  std::vector<MigrationStage> stages_;  // empty: nothing moves
  Placement next_;
  std::size_t stage_ = 0;
  int steps_left_ = 0;  // of the stage
  bool copied_ = false;
  Seconds began_{0};
  std::int64_t run_ = 0;  // copies of a migration that was cancelled mean nothing
  RebalanceTotals totals_;
};

}  // namespace moesim
