// Training steps one after the other: the same batch size, new routing each time.
//
// Every replica of the experts (an EP group in each stage) is a pipeline of its own; they meet
// when gradients are reduced, and the step ends with the slowest stage's update.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sim/machine/ledger.hpp"
#include "sim/machine/pair_transfer.hpp"
#include "sim/metrics/timeline.hpp"
#include "sim/placement/options.hpp"
#include "sim/router/options.hpp"
#include "sim/router/router.hpp"
#include "sim/serving/cluster_costs.hpp"
#include "sim/training/gradients.hpp"
#include "sim/training/pipeline.hpp"
#include "sim/training/stage_model.hpp"

namespace moesim {

// What is simulated. References outlive the run. Of the serving options the transport, the
// network model and the memory fraction hold here too.
struct TrainingDeployment {
  const ModelShape& model;
  const Cluster& cluster;
  const ClusterCosts& costs;
  TrainingOptions training;
  ServingOptions serving;
  PlacementOptions placement;
  RouterOptions router;
  std::uint64_t seed = 1;
};

// One step; the phases are means over stages and replicas and add up to the time.
struct TrainingStep {
  Seconds time{0};
  PhaseSeconds phases;
  Seconds forward{0};  // means as well; with the bubble, gradients and optimizer they add up
  Seconds backward{0};
  Seconds recompute{0};
  Seconds attention{0};  // of one pipeline and micro-batch, forward, all stages: the longest
  Seconds dispatch{0};
  Seconds experts{0};
  Seconds combine{0};
};

enum class TrainingColumn { step_time, tokens, balancedness };

class TrainingRun {
 public:
  // Throws InputError where the numbers do not divide or the model does not fit.
  explicit TrainingRun(const TrainingDeployment& deployment);

  // Asked after every step; false ends the run there.
  using Watch = std::function<bool(int steps, Seconds now)>;
  void run(const Watch& watch = {});

  [[nodiscard]] const TrainingLayout& layout() const { return layout_; }
  [[nodiscard]] const TrainingMemory& memory() const { return memory_; }
  [[nodiscard]] const std::vector<TrainingStep>& steps() const { return steps_; }
  [[nodiscard]] Seconds duration() const { return now_; }
  [[nodiscard]] double tokens_per_step() const;
  [[nodiscard]] const LinkLedger& ledger() const { return ledger_; }
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }
  // Of attention and dense kernels, each kind of GPU once.
  [[nodiscard]] std::vector<KernelOrigin> kernel_origins() const { return costs_->origins(); }
  // [replicas]; empty for a dense model.
  [[nodiscard]] std::vector<const MoeStep*> experts() const;
  // [stages * replicas]; empty where nothing is sent.
  [[nodiscard]] std::vector<const MoeNetwork*> networks() const;
  // Seconds of compute and of exchanges since the start, by GPU.
  struct GpuSeconds {
    double attention = 0;
    double dense = 0;
    double expert = 0;
    double network = 0;   // that nothing hides
    double exchange = 0;  // all collectives that the ledger has, hidden or not
    double expert_tokens = 0;
  };
  [[nodiscard]] const std::vector<GpuSeconds>& gpus() const { return gpus_; }
  // [layers + 1] per step, mean over steps and stages: rows are layers, then what belongs to
  // none. All add up to the step time.
  [[nodiscard]] std::vector<PhaseSeconds> layer_phases() const;

 private:
  // The EP groups of one number in all stages; they share what a micro-batch is routed to.
  struct Pipeline {
    std::unique_ptr<MoeStep> moe;                       // null: dense
    std::vector<std::unique_ptr<MoeNetwork>> networks;  // [stages] or empty
    // Of the step in hand.
    std::vector<std::vector<StagePass>> passes;       // [stages][micro-batches]
    std::vector<std::vector<Seconds>> last_backward;  // [stages][layers + 1]
    std::vector<Seconds> stage_end;                   // [stages]
  };
  void build_stages();
  void build_pipelines();
  void build_transfers();
  void measure(int replica, TrainingStep& step);
  TrainingStep one_step();
  void add_gpu_seconds(int stage, int replica, const std::vector<LayerPasses>& passes,
                       const std::vector<double>& seconds_before,
                       const std::vector<double>& tokens_before);
  void finish_step(TrainingStep& step);

  TrainingDeployment deployment_;
  TrainingLayout layout_;
  TrainingMemory memory_;
  std::unique_ptr<LayerCostsByKind> costs_;
  std::unique_ptr<Router> router_;
  std::vector<StageModel> stages_;       // [stages]
  std::vector<GradientSync> gradients_;  // [stages]
  std::vector<PairTransfer> forth_;      // [stages - 1] to the next stage
  std::vector<PairTransfer> back_;       // [stages - 1]
  std::vector<double> sent_;             // [gpus of a stage] bytes of a micro-batch, each way
  std::vector<Pipeline> pipelines_;      // [replicas]
  LinkLedger ledger_;
  Timeline timeline_;
  std::vector<TrainingStep> steps_;
  std::vector<GpuSeconds> gpus_;
  std::vector<PhaseSeconds> layer_phases_;  // [layers + 1] sums over steps
  Seconds now_{0};
};

}  // namespace moesim
