// How long one step of one instance takes: the layers in order, each waiting for its slowest
// GPU.
//
//   step = ends + host + sum over layers of
//          attention_max + collective + (dense | router + dispatch + experts_max + combine)
//
// Overlap: `shared_expert` runs the shared experts beside the dispatch; `two_batch` splits the
// step in two micro-batches and hides the communication of one behind the compute of the other,
// so that a layer pair takes max(2 communication, 2 compute + lost) of a half (DeepSeek-V3
// report, 2412.19437, section 3.4), where communication that holds the share s of a GPU costs
// compute lost = s min(communication, compute / (1 - s)); `single_batch` sends the step's rows
// in tiles, dispatch while attention and shared experts go on, combine while the experts do: of
// n tiles all but one hide, as far as the compute lasts (n = 4, an assumption).
//
// Where the network model says when each GPU has its rows, a GPU's experts begin then, and not
// when the last GPU has its own: dispatch and experts end together at max(finish + experts).
//
// With pipeline stages the sum is over the layers of all stages, for one micro-batch of a round
// (StepWork), and a round has a bubble and ways from stage to stage (Pipeline). Each stage's
// layers are computed by its own GPUs, for every micro-batch of the round.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "sim/machine/group_collective.hpp"
#include "sim/metrics/cause.hpp"
#include "sim/metrics/phase_totals.hpp"
#include "sim/serving/attention_rank.hpp"
#include "sim/serving/moe_step.hpp"
#include "sim/serving/pipeline.hpp"
#include "sim/serving/rank_costs.hpp"
#include "sim/serving/step_stage.hpp"
#include "sim/serving/step_work.hpp"

namespace moesim {

// Everything about one step that later stages may want.
struct StepReport {
  CauseSeconds time;  // along the critical path; communication as far as it is not hidden
  [[nodiscard]] Seconds total() const { return Seconds{time.sum()}; }
  Seconds dispatch{0};  // as they ran, whether hidden or not; sums over the layers
  Seconds combine{0};
  Seconds experts{0};        // slowest rank, sum over the layers
  double balancedness = 1;   // mean / max tokens of the ranks, summed over the MoE layers
  int straggler_layer = -1;  // MoE layer with the longest wait for its slowest rank
  int straggler_rank = -1;
  int straggler_expert = -1;  // the one with the most tokens there
  LinkId busiest_link{-1};    // of the layer with the longest dispatch
  bool prefill = false;       // the step holds prompt tokens
  int tokens = 0;
  int prompt_tokens = 0;
  std::int64_t output_tokens = 0;
};

class StepModel {
 public:
  // All references outlive this. `moe` is null for a dense model.
  StepModel(const ModelShape& model, const Parallelism& parallel, const ServingOptions& options,
            RankCosts costs, MoeStep* moe, std::vector<StepStage> stages);

  // `fill` is what the step before has left of the pipeline.
  StepReport evaluate(std::span<const AttentionRank> ranks, std::span<const double> share,
                      LinkLedger& ledger, Seconds now, PipelineFill fill);
  // The step last evaluated has ended; `report` with whatever its end has added.
  void step_ended(const StepReport& report) { phases_.end(report.prefill, report.time); }
  // Of the steps that have ended.
  [[nodiscard]] const PhaseTotals& phases() const { return phases_; }

  // What a token's KV takes on its way to host memory or back; a step waits for the rank that
  // swaps most.
  void set_swap_time(Seconds per_token) { swap_per_token_ = per_token; }
  // [gpus of the instance] a straggler's factor on its compute time; empty: all healthy.
  void set_slowdown(const std::vector<double>& slowdown);
  // [gpus of the instance] seconds of compute since the start; routed experts are MoeStep's.
  [[nodiscard]] const std::vector<double>& attention_seconds() const { return attention_busy_; }
  [[nodiscard]] const std::vector<double>& dense_seconds() const { return dense_busy_; }

 private:
  // Of one MoE layer, for the part of the step that runs at once.
  struct LayerParts {
    std::size_t kind = 0;  // of attention
    Seconds collective{0};
    Seconds shared{0};
    Seconds router{0};
    MoeLayerTime moe;
  };
  // What the layers of a step have shown so far.
  struct Seen {
    int moe_layers = 0;
    double mean_tokens = 0;
    double most_tokens = 0;
    Seconds longest_wait{-1};
    Seconds longest_dispatch{-1};
  };
  // step_model.cpp
  void begin(StepReport& report);
  void draw(std::span<const double> share, Seconds now);
  [[nodiscard]] Seconds host_time(LayerRange layers, bool schedules) const;
  [[nodiscard]] Seconds ends(const StepStage& stage) const;  // of the slowest rank
  void account_busy(const StepStage& stage);

  // step_layers.cpp
  void add_layers(const StepStage& stage, StepReport& report, LinkLedger& ledger, Seconds now);
  void add_dense_layer(const StepStage& stage, std::size_t kind, CauseSeconds& time) const;
  void add_attention(const StepStage& stage, std::size_t kind, CauseSeconds& time) const;
  MoeLayerTime moe_layer(const StepStage& stage, int layer, LinkLedger& ledger, Seconds now,
                         LinkId& busiest);
  void add_moe_layer(const StepStage& stage, const LayerParts& parts, CauseSeconds& time) const;
  void report_layer(const StepStage& stage, const MoeLayerTime& moe, LinkId busiest,
                    StepReport& report);
  void stagger(std::span<const Seconds> finish, MoeLayerTime& time) const;
  // The slowest rank's time; `time_of` takes the rank's costs and its batch tokens.
  template <class TimeOf>
  [[nodiscard]] Seconds slowest(const StepStage& stage, TimeOf time_of) const {
    Seconds most{0};
    for (std::size_t d = 0; d < work_.rank_tokens.size(); ++d) {
      const double tokens = work_.rank_tokens[d];
      const Seconds healthy =
          costs_.of(d, [&](const LayerCosts& gpu) { return time_of(gpu, tokens); });
      most = std::max(most, stage.rank_slowdown[d] * healthy);
    }
    return most;
  }

  // step_collectives.cpp
  void exchange_whole(const StepStage& stage, MoeLayerTime& time) const;
  [[nodiscard]] Seconds all_reduce(const StepStage& stage, double tokens) const;
  [[nodiscard]] Seconds attention_all_reduce(const StepStage& stage, double tokens) const;
  [[nodiscard]] Seconds in_shards(const StepStage& stage, GroupOp op, Bytes bytes) const;
  void account_ranks(const StepStage& stage, LinkLedger& ledger);
  void account_experts(const StepStage& stage, std::span<const double> rank_tokens,
                       LinkLedger& ledger);

  const ModelShape& model_;
  Parallelism parallel_;
  ServingOptions options_;
  RankCosts costs_;
  MoeStep* moe_;
  std::vector<StepStage> stages_;
  Pipeline pipeline_;
  GroupCollectives collectives_;
  PhaseTotals phases_;
  Seconds swap_per_token_{0};
  std::vector<double> attention_busy_;  // [gpus]
  std::vector<double> dense_busy_;      // [gpus]

  // Of the step in hand.
  StepWork work_;
  Seen seen_;
  std::vector<double> expert_tokens_;  // [stages * ep] before it
  std::vector<double> sent_;           // [groups] bytes
};

}  // namespace moesim
