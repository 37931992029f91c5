#include "sim/serving/rebalancer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "sim/base/errors.hpp"
#include "sim/placement/strategy.hpp"
#include "sim/serving/expert_setup.hpp"
#include "sim/serving/host_link.hpp"

namespace moesim {

namespace {

// Balancedness over fewer steps is noise.
constexpr int kShortestWindow = 100;

}  // namespace

Rebalancer::Rebalancer(const PlacementOptions& options, const ModelShape& model,
                       const Parallelism& parallel, GpuId first, int nodes,
                       const Cluster& cluster, Machine& machine, Transfers& transfers,
                       Router& router, MoeStep& moe, RebalanceHooks hooks)
    : options_(options),
      model_(model),
      parallel_(parallel),
      holder_(stages_of_moe_layers(model, parallel.pp)),
      first_(first),
      nodes_(nodes),
      cluster_(cluster),
      machine_(machine),
      transfers_(transfers),
      router_(router),
      moe_(moe),
      hooks_(std::move(hooks)) {
  open_window();
}

void Rebalancer::open_window() {
  seen_ = moe_.totals().tokens;
  steps_ = 0;
  tokens_ = 0;
  balanced_tokens_ = 0;
}

void Rebalancer::cancel() {
  ++run_;
  stages_.clear();
  open_window();
}

void Rebalancer::step_ended(const StepReport& report) {
  ++steps_;
  tokens_ += report.tokens;
  balanced_tokens_ += report.balancedness * report.tokens;
  if (!stages_.empty()) {
    --steps_left_;
    try_finish_stage();
    return;
  }
  const bool telling = steps_ >= kShortestWindow && tokens_ > 0;
  const double balancedness = telling ? balanced_tokens_ / tokens_ : 1.0;
  if (rebalance_due(options_.rebalance, steps_, balancedness)) begin();
}

Placement Rebalancer::wanted() {
  const Placement& now = moe_.placement();
  PlacementProblem problem;
  problem.layers = now.layers;
  problem.experts = now.experts;
  problem.slots = now.slots;
  problem.groups = router_.shape().expert_groups;
  problem.nodes = nodes_;
  problem.gpus = now.gpus;
  const auto& tokens = moe_.totals().tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    problem.weights.push_back(static_cast<double>(tokens[i] - seen_[i]));
  }
  std::vector<std::vector<std::uint16_t>> samples(static_cast<std::size_t>(now.layers));
  for (int l = 0; l < now.layers; ++l) {
    const TokenSample& sample = router_.sample(l);
    auto& experts = samples[static_cast<std::size_t>(l)];
    experts.assign(sample.expert.begin(), sample.expert.end());
    problem.samples.push_back({experts, sample.top_k});
  }
  bool uniform = true;
  for (int l = 0; l < now.layers; ++l) uniform = uniform && now.layer_slots(l) == now.slots;
  if (uniform) problem.previous = now.physical_to_logical;
  return place(problem, options_);
}

void Rebalancer::begin() {
  const Placement before = moe_.placement();
  next_ = wanted();
  open_window();
  began_ = machine_.now();
  const Bytes one = expert_bytes(model_);
  stages_ = migration_stages(options_.rebalance, before, next_, one);
  std::int64_t copies = 0;
  for (const MigrationStage& stage : stages_) {
    copies += static_cast<std::int64_t>(stage.copies.size());
  }
  MOESIM_LAW(copies == migrated_experts(before, next_),
             "as many experts travel as GPUs lack of the new placement");
  ++totals_.rebalances;
  totals_.experts += copies;
  totals_.bytes += static_cast<double>(copies) * one;
  stage_ = 0;
  begin_stage();
}

void Rebalancer::begin_stage() {
  const MigrationStage& stage = stages_[stage_];
  copied_ = stage.copies.empty();
  steps_left_ = stage.stalls || copied_ ? 0 : stage.steps;
  if (copied_) return try_finish_stage();
  if (stage.stalls) hooks_.halt();
  copy(stage);
}

std::vector<Flow> Rebalancer::flows_of(const MigrationStage& stage) const {
  std::map<std::pair<int, int>, int> copies;  // between two expert ranks
  for (const MigrationCopy& c : stage.copies) {
    ++copies[{rank_of(c.layer, c.from), rank_of(c.layer, c.to)}];
  }
  const int shards = parallel_.moe_tp;
  const Bytes each = expert_bytes(model_) / static_cast<double>(shards);
  std::vector<Flow> flows;
  for (const auto& [ranks, count] : copies) {
    for (int s = 0; s < shards; ++s) {
      flows.push_back({.src = GpuId{first_.value + ranks.first * shards + s},
                       .dst = GpuId{first_.value + ranks.second * shards + s},
                       .bytes = each * static_cast<double>(count)});
    }
  }
  return flows;
}

// Of the GPU that receives most.
Seconds Rebalancer::host_time(const MigrationStage& stage) const {
  std::vector<int> received(static_cast<std::size_t>(parallel_.pp * parallel_.ep), 0);
  for (const MigrationCopy& c : stage.copies) {
    ++received[static_cast<std::size_t>(rank_of(c.layer, c.to))];
  }
  const Bytes most =
      expert_bytes(model_) * (static_cast<double>(*std::ranges::max_element(received)) /
                              static_cast<double>(parallel_.moe_tp));
  return most / host_bandwidth(cluster_, first_);
}

void Rebalancer::copy(const MigrationStage& stage) {
  const auto done = [this, run = run_, at = stage_] {
    if (run != run_ || at != stage_ || stages_.empty()) return;
    copied_ = true;
    try_finish_stage();
  };
  if (options_.rebalance.source == "host") return machine_.after(host_time(stage), done);
  transfers_.start(flows_of(stage), [done](std::span<const Seconds>) { done(); });
}

void Rebalancer::try_finish_stage() {
  if (!copied_ || steps_left_ > 0) return;
  const MigrationStage stage = stages_[stage_];
  moe_.use(with_layers(moe_.placement(), next_, stage.layers));
  const bool halted = stage.stalls && !stage.copies.empty();
  if (++stage_ < stages_.size()) {
    begin_stage();
    return;
  }
  std::int64_t copies = 0;
  for (const MigrationStage& s : stages_) copies += static_cast<std::int64_t>(s.copies.size());
  stages_.clear();
  open_window();
  hooks_.done({began_, machine_.now(), "rebalance", fmt::format("{} experts moved", copies)});
  if (halted) hooks_.resume();
}

}  // namespace moesim
