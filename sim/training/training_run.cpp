#include "sim/training/training_run.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sim/base/errors.hpp"
#include "topology/gpu_ranges.hpp"

namespace moesim {

std::vector<const MoeStep*> TrainingRun::experts() const {
  std::vector<const MoeStep*> all;
  for (const Pipeline& p : pipelines_) {
    if (p.moe) all.push_back(p.moe.get());
  }
  return all;
}

std::vector<const MoeNetwork*> TrainingRun::networks() const {
  std::vector<const MoeNetwork*> all;
  for (const Pipeline& p : pipelines_) {
    for (const auto& network : p.networks) all.push_back(network.get());
  }
  return all;
}

double TrainingRun::tokens_per_step() const {
  return 1.0 * deployment_.training.global_batch * deployment_.training.sequence;
}

void TrainingRun::add_gpu_seconds(int stage, int replica,
                                  const std::vector<LayerPasses>& passes,
                                  const std::vector<double>& seconds_before,
                                  const std::vector<double>& tokens_before) {
  const StageModel& model = stages_[static_cast<std::size_t>(stage)];
  double network = 0;
  double exchange = 0;
  for (const LayerPasses& layer : passes) {
    exchange += model.exchanges() * (layer.dispatch + layer.combine).value;
    for (const PhaseSeconds* pass : {&layer.forward, &layer.backward, &layer.recompute}) {
      const double sums = (*pass)[TrainingPhase::collective];
      network += (*pass)[TrainingPhase::dispatch] + (*pass)[TrainingPhase::combine] + sums;
      exchange += sums;
    }
  }
  const MoeStep* moe = pipelines_[static_cast<std::size_t>(replica)].moe.get();
  for (int g = 0; g < layout_.ep; ++g) {
    GpuSeconds& gpu = gpus_[static_cast<std::size_t>(layout_.first_gpu(stage, replica) + g)];
    gpu.attention += model.attention_seconds().value;
    gpu.dense += model.dense_seconds().value;
    gpu.network += network;
    gpu.exchange += exchange;
    if (moe == nullptr) continue;
    const auto r = static_cast<std::size_t>(g);
    gpu.expert += model.expert_passes() * (moe->totals().rank_seconds[r] - seconds_before[r]);
    gpu.expert_tokens += moe->totals().rank_tokens[r] - tokens_before[r];
  }
}

// All micro-batches of one pipeline.
void TrainingRun::measure(int replica, TrainingStep& step) {
  Pipeline& pipeline = pipelines_[static_cast<std::size_t>(replica)];
  const double each = 1.0 / (layout_.stages * layout_.replicas);
  const auto stages = static_cast<std::size_t>(layout_.stages);
  pipeline.passes.assign(stages, {});
  pipeline.last_backward.assign(stages, {});
  std::vector<LayerPasses> passes;
  std::vector<double> seconds;
  std::vector<double> tokens;
  for (int i = 0; i < layout_.micro_batches; ++i) {
    MoeStep* moe = pipeline.moe.get();
    if (moe != nullptr) moe->draw({.tokens = layout_.group_tokens(), .share = {}}, now_);
    TrainingStep once;
    for (std::size_t s = 0; s < stages; ++s) {
      if (moe != nullptr) {
        seconds = moe->totals().rank_seconds;
        tokens = moe->totals().rank_tokens;
      }
      MoeNetwork* network = pipeline.networks.empty() ? nullptr : pipeline.networks[s].get();
      stages_[s].evaluate(moe, network, ledger_, now_, passes);
      StagePass& whole = pipeline.passes[s].emplace_back();
      std::vector<Seconds> backward;
      const auto first = static_cast<std::size_t>(stages_[s].layers().first);
      for (std::size_t l = 0; l < passes.size(); ++l) {
        const LayerPasses& layer = passes[l];
        const Seconds back{layer.backward.sum() + layer.recompute.sum()};
        whole.forward += Seconds{layer.forward.sum()};
        whole.backward += back;
        backward.push_back(back);
        PhaseSeconds& row =
            layer_phases_[l + 1 < passes.size() ? first + l : layer_phases_.size() - 1];
        for (const PhaseSeconds* pass : {&layer.forward, &layer.backward, &layer.recompute}) {
          step.phases.add(*pass, each);
          row.add(*pass, 1.0 / layout_.replicas);
        }
        step.forward += each * Seconds{layer.forward.sum()};
        step.backward += each * Seconds{layer.backward.sum()};
        step.recompute += each * Seconds{layer.recompute.sum()};
        once.attention += Seconds{layer.forward[TrainingPhase::attention]};
        once.dispatch += layer.dispatch;
        once.experts += layer.experts;
        once.combine += layer.combine;
      }
      pipeline.last_backward[s] = std::move(backward);
      add_gpu_seconds(static_cast<int>(s), replica, passes, seconds, tokens);
    }
    step.attention = std::max(step.attention, once.attention);
    step.dispatch = std::max(step.dispatch, once.dispatch);
    step.experts = std::max(step.experts, once.experts);
    step.combine = std::max(step.combine, once.combine);
  }
  std::vector<Seconds> transfer;
  for (const PairTransfer& way : forth_) transfer.push_back(way.time(Bytes{sent_.front()}));
  pipeline.stage_end = run_pipeline(pipeline.passes, transfer);
}

// Gradients, update, and what is left: the bubble.
void TrainingRun::finish_step(TrainingStep& step) {
  const auto stages = static_cast<std::size_t>(layout_.stages);
  const double each = 1.0 / static_cast<double>(stages);
  Seconds end{0};
  for (std::size_t s = 0; s < stages; ++s) {
    Seconds stage_end{0};
    std::vector<Seconds> ready(static_cast<std::size_t>(stages_[s].layers().count()));
    for (const Pipeline& pipeline : pipelines_) {
      stage_end = std::max(stage_end, pipeline.stage_end[s]);
      // Backward goes from the last layer to the first; the head comes before them.
      const auto& back = pipeline.last_backward[s];
      Seconds at = pipeline.stage_end[s];
      if (s == 0 && stages > 1) at -= back.back();  // the embedding comes last
      for (std::size_t l = 0; l < ready.size(); ++l) {
        ready[l] = std::max(ready[l], at);
        at -= back[l];
      }
    }
    const Seconds reduced = gradients_[s].reduced(ready, stage_end);
    MOESIM_LAW(reduced >= stage_end, "gradients are reduced when the backward pass has ended");
    const Seconds update = gradients_[s].update();
    step.phases[TrainingPhase::gradients] += each * (reduced - stage_end).value;
    step.phases[TrainingPhase::optimizer] += each * update.value;
    end = std::max(end, reduced + update);
    gradients_[s].account(ledger_);
    for (const GpuId gpu :
         gpus_from(GpuId{layout_.first_gpu(static_cast<int>(s))}, layout_.stage_gpus)) {
      gpus_[gpu.index()].exchange += gradients_[s].network_time().value;
    }
  }
  step.time = end;
  const double bubble = end.value - step.phases.sum();
  MOESIM_LAW(bubble >= -1e-9 * end.value, "a stage is never busy for longer than the step");
  step.phases[TrainingPhase::bubble] = std::max(0.0, bubble);
}

TrainingStep TrainingRun::one_step() {
  TrainingStep step;
  for (int r = 0; r < layout_.replicas; ++r) measure(r, step);
  finish_step(step);
  PhaseSeconds& other = layer_phases_.back();
  for (const TrainingPhase phase :
       {TrainingPhase::bubble, TrainingPhase::gradients, TrainingPhase::optimizer}) {
    other[phase] += layout_.stages * step.phases[phase];
  }
  ledger_.repeat(layout_.micro_batches);
  for (const PairTransfer& way : forth_) way.account(sent_, ledger_);
  for (const PairTransfer& way : back_) way.account(sent_, ledger_);
  for (const StageModel& stage : stages_) stage.account(ledger_);
  ledger_.repeat(1);
  return step;
}

void TrainingRun::run(const Watch& watch) {
  const auto column = [](TrainingColumn c) { return static_cast<int>(c); };
  for (int s = 0; s < deployment_.training.steps; ++s) {
    double mean_before = 0;
    double most_before = 0;
    const auto sums = [&](double& mean, double& most) {
      mean = most = 0;
      for (const MoeStep* moe : experts()) {
        const ExpertTotals& t = moe->totals();
        mean = std::accumulate(t.layer_mean_tokens.begin(), t.layer_mean_tokens.end(), mean);
        most = std::accumulate(t.layer_most_tokens.begin(), t.layer_most_tokens.end(), most);
      }
    };
    sums(mean_before, most_before);
    const TrainingStep step = one_step();
    now_ += step.time;
    steps_.push_back(step);
    timeline_.sample(column(TrainingColumn::step_time), now_, step.time.value);
    timeline_.add(column(TrainingColumn::tokens), now_, tokens_per_step());
    double mean = 0;
    double most = 0;
    sums(mean, most);
    if (most > most_before) {
      timeline_.sample(column(TrainingColumn::balancedness), now_,
                       (mean - mean_before) / (most - most_before));
    }
    if (watch && !watch(s + 1, now_)) break;
  }
  timeline_.close(now_);
}

std::vector<PhaseSeconds> TrainingRun::layer_phases() const {
  std::vector<PhaseSeconds> rows(layer_phases_.size());
  if (steps_.empty()) return rows;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    rows[r].add(layer_phases_[r], 1.0 / static_cast<double>(steps_.size()) / layout_.stages);
  }
  return rows;
}

}  // namespace moesim
