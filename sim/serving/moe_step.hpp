// The routed experts of every MoE layer in one step: tokens to experts, experts to GPUs, GPUs
// to times, and what the two all-to-alls must carry.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "calibrate/cost_model.hpp"
#include "sim/machine/demand.hpp"
#include "sim/placement/dispatch.hpp"
#include "sim/placement/placement.hpp"
#include "sim/placement/reach.hpp"
#include "sim/router/router.hpp"
#include "sim/router/router_watch.hpp"

namespace moesim {

// What one evaluation of a layer stands for in a step.
struct LayerShare {
  double part = 1;   // of the drawn tokens that it computes at once: 1/2 of two in turn
  double times = 1;  // that the step computes as much, in turn or on other stages' behalf
};

// One MoE layer of one step.
struct MoeLayerTime {
  Seconds mean{0};     // expert compute, mean over the expert ranks
  Seconds slowest{0};  // and of the slowest
  int slowest_rank = 0;
  int busiest_expert = 0;  // of the layer, the one with the most tokens
  double kept = 1;         // assignments that are computed, over tokens x top_k
  double mean_tokens = 0;  // of the ranks, for the part
  double most_tokens = 0;
  Seconds dispatch{0};
  Seconds combine{0};
};

// What has been seen since the start, for results and rebalancing.
struct ExpertTotals {
  std::vector<std::int64_t> tokens;  // [layers * experts] as routed, before any overflow
  OverflowTotals overflow;
  std::vector<double> rank_tokens;   // [stages * ranks] all layers
  std::vector<double> rank_seconds;  // [stages * ranks] expert compute
  // [layers] sums over steps of the ranks' mean and highest tokens: their ratio is the
  // balancedness over time, each step with the weight of its tokens.
  std::vector<double> layer_mean_tokens;
  std::vector<double> layer_most_tokens;
  // On the critical path.
  std::vector<double> layer_straggler_s;  // [layers] slowest - mean, sum over steps
  std::vector<double> layer_expert_s;     // [layers] slowest, sum over steps
  std::vector<double> layer_dispatch_s;   // [layers]
  std::vector<double> layer_combine_s;    // [layers]
};

class MoeStep {
 public:
  // `curves` [ranks] price a rank's layer, or one for all; `speed` [ranks] is what the dispatch
  // policy takes their GPUs for (expert_speeds). The router outlives this.
  MoeStep(Router& router, const std::string& dispatch, std::vector<ExpertCurve> curves,
          std::vector<double> speed = {});

  // The layers are those of a pipeline: `of_layer` [layers] is the stage whose ranks hold a
  // layer's experts. Before use().
  void set_stages(int stages, std::vector<int> of_layer);

  // The placement in force from now on.
  void use(Placement placement);
  [[nodiscard]] const Placement& placement() const { return placement_; }

  // Draws the counts of a step that begins `now`, or of one of the micro-batches of a pipeline,
  // each by a call; layer() is then of the last one. The router drifts and its events happen up
  // to then; what is beyond the experts' capacity is treated as the router's options say.
  void draw(const StepMix& mix, Seconds now);

  // Expert times of `layer` for a share of what was drawn. `slowdown` [ranks] or empty: a
  // straggler's factor on its time.
  MoeLayerTime layer(int layer, const LayerShare& share, std::span<const double> slowdown);
  // [ranks] expert times of the last layer().
  [[nodiscard]] std::span<const Seconds> rank_times() const { return rank_times_; }
  // What the layer asks of the network, after layer(): shares for the same counts, as many as
  // are asked for. `tokens` is the caller's to fill. Not for placements on a single rank.
  DispatchDemand& demand(int layer, DemandShares asked = DemandShares::nodes);

  // `share` as in layer(): the critical path takes 1 / part times as long.
  void account(int layer, const MoeLayerTime& time, const LayerShare& share);
  [[nodiscard]] const ExpertTotals& totals() const { return totals_; }
  [[nodiscard]] const RouterWatch& watch() const { return watch_; }
  [[nodiscard]] const Router& router() const { return router_; }
  [[nodiscard]] const ExpertCounts& counts() const { return counts_; }
  // Of the least certain curve.
  [[nodiscard]] const CurveOrigin& curve_origin() const;
  [[nodiscard]] double nodes_per_token() const;

 private:
  void refresh_reach();

  Router& router_;
  std::string dispatch_name_;
  std::vector<ExpertCurve> curves_;  // [ranks] or one
  std::vector<double> speed_;
  int stages_ = 1;
  std::vector<int> stage_of_layer_;  // [layers]
  Placement placement_;
  std::unique_ptr<DispatchPolicy> dispatch_;
  std::unique_ptr<Reach> reach_;
  int reach_epoch_ = -1;
  ExpertCounts counts_;               // [layers * experts]
  double routed_ = 0;                 // tokens x top_k of the last draw
  std::vector<double> layer_counts_;  // [experts] of the layer in hand
  LayerLoad load_;
  std::vector<Seconds> rank_times_;  // [ranks] of the layer in hand
  DispatchDemand demand_;
  std::vector<std::vector<std::uint16_t>> samples_;  // [layers] what reach_ views
  ExpertTotals totals_;
  RouterWatch watch_;
};

}  // namespace moesim
