#include "sim/training/stage_model.hpp"

#include <algorithm>
#include <utility>

#include "topology/gpu_ranges.hpp"

namespace moesim {

namespace {

// All-reduces of a layer: one row per token after attention and one after the FFN
// (Megatron-LM, 1909.08053), which an MoE layer's combine replaces.
double sums_of(bool is_moe) { return is_moe ? 1 : 2; }

constexpr double kBackward = 2;          // of a product's forward time
constexpr double kBackwardScores = 2.5;  // of scores' and values'

}  // namespace

StageModel::StageModel(const ModelShape& model, const TrainingOptions& options,
                       const TrainingLayout& layout, std::vector<const LayerCosts*> costs,
                       int stage, const RankGroup& rank)
    : model_(model),
      layout_(layout),
      costs_({std::move(costs)}),
      layers_(layers_of(model, layout.stages, stage)),
      overlap_(options.overlap),
      recomputes_(options.recompute == Recompute::full),
      rank_(rank),
      rank_traffic_(rank.cluster(),
                    groups_from(GpuId{layout.first_gpu(stage)}, layout.tp, layout.dp)),
      collectives_(rank.gpu_name()),
      tokens_(static_cast<std::size_t>(layout.ep),
              static_cast<double>(layout.rank_tokens) / layout.tp) {
  if (overlap_ == Overlap::two_batch && layout.micro_batches < 2) overlap_ = Overlap::none;
  for (int i = 0; i < options.micro_batch; ++i) batch_.chunks.push_back({options.sequence, 0});
  for (int layer = 0; layer < layers_.first; ++layer) {
    first_moe_layer_ += is_moe_layer(model, layer) ? 1 : 0;
  }
  shared_ = costs_.slowest(
      [&](const LayerCosts& gpu) { return gpu.shared_experts(layout.rank_tokens); });
  for (int layer = layers_.first; layer < layers_.end; ++layer) {
    const std::size_t kind = costs_.any().kind_of_layer()[static_cast<std::size_t>(layer)];
    fixed_.push_back(fixed_part(kind, is_moe_layer(model, layer)));
  }
  fixed_.push_back(ends(stage));
  for (const LayerPasses& passes : fixed_) {
    // Embedding and head are kept.
    const double times = recomputes_ && &passes != &fixed_.back() ? 2 : 1;
    const auto all = [&](TrainingPhase phase) {
      return Seconds{times * passes.forward[phase] + passes.backward[phase]};
    };
    attention_ += all(TrainingPhase::attention);
    dense_ += all(TrainingPhase::dense);
  }
}

LayerPasses StageModel::fixed_part(std::size_t kind, bool is_moe) const {
  const double tokens = layout_.rank_tokens;
  const Seconds gemms =
      costs_.slowest([&](const LayerCosts& gpu) { return gpu.attention_gemms(batch_, 1); });
  const Seconds scores = costs_.slowest(
      [&](const LayerCosts& gpu) { return gpu.attention_core(batch_, kind, 1); });
  const Seconds dense = costs_.slowest([&](const LayerCosts& gpu) {
    return is_moe ? gpu.shared_experts(tokens) + gpu.router(tokens) : gpu.dense_ffn(tokens);
  });
  const double sums = sums_of(is_moe);
  const Seconds collective =
      layout_.tp > 1
          ? collectives_.time(GroupOp::all_reduce, rank_, Bytes{2.0 * tokens * model_.hidden})
                .time
          : Seconds{0};
  LayerPasses passes;
  passes.forward[TrainingPhase::attention] = (gemms + scores).value;
  passes.forward[TrainingPhase::dense] = dense.value;
  passes.forward[TrainingPhase::collective] = sums * collective.value;
  passes.backward[TrainingPhase::attention] =
      (kBackward * gemms + kBackwardScores * scores).value;
  passes.backward[TrainingPhase::dense] = kBackward * dense.value;
  passes.backward[TrainingPhase::collective] = sums * collective.value;
  return passes;
}

LayerPasses StageModel::ends(int stage) const {
  const double tokens = layout_.rank_tokens;
  const Seconds embedding =
      costs_.slowest([&](const LayerCosts& gpu) { return gpu.ends(tokens, 0); });
  LayerPasses passes;
  if (stage == 0) {
    passes.forward[TrainingPhase::dense] += embedding.value;
    passes.backward[TrainingPhase::dense] += embedding.value;  // rows added to the gradient
  }
  if (stage == layout_.stages - 1) {
    const Seconds head = costs_.slowest(
        [&](const LayerCosts& gpu) { return gpu.ends(tokens, tokens) - gpu.ends(tokens, 0); });
    passes.forward[TrainingPhase::dense] += head.value;
    passes.backward[TrainingPhase::dense] += kBackward * head.value;
  }
  return passes;
}

void StageModel::add_experts(int moe_layer, MoeStep& moe, MoeNetwork* network,
                             LinkLedger& ledger, Seconds now, LayerPasses& passes) {
  MoeLayerTime time = moe.layer(moe_layer, {}, {});
  if (network != nullptr) {
    DispatchDemand& demand = moe.demand(moe_layer, network->asks(true));
    demand.tokens.resize(tokens_.size());
    for (std::size_t g = 0; g < tokens_.size(); ++g) demand.tokens[g] = time.kept * tokens_[g];
    const ExchangeTime exchange = network->exchange(demand, true, ledger, now, 1);
    time.dispatch = exchange.dispatch;
    time.combine = exchange.combine;
  }
  moe.account(moe_layer, time, {});
  passes.dispatch = time.dispatch;
  passes.combine = time.combine;
  passes.experts = time.slowest;
  const Seconds wait = time.slowest - time.mean;
  for (PhaseSeconds* pass : {&passes.forward, &passes.backward}) {
    const double times = pass == &passes.forward ? 1 : kBackward;
    (*pass)[TrainingPhase::dispatch] = time.dispatch.value;
    (*pass)[TrainingPhase::combine] = time.combine.value;
    (*pass)[TrainingPhase::expert] = times * time.mean.value;
    (*pass)[TrainingPhase::expert_straggler] = times * wait.value;
  }
}

void StageModel::account(LinkLedger& ledger) const {
  if (layout_.tp <= 1) return;
  double sums = 0;
  for (int layer = layers_.first; layer < layers_.end; ++layer) {
    sums += sums_of(is_moe_layer(model_, layer));
  }
  const double passes = recomputes_ ? 3 : 2;
  const double bytes = passes * sums * 2.0 * layout_.rank_tokens * model_.hidden;
  rank_traffic_.account(GroupOp::all_reduce,
                        std::vector<double>(static_cast<std::size_t>(layout_.dp), bytes),
                        ledger);
}

// Takes away what is hidden of a pass's communication; `shared` is how long the shared experts
// compute in it.
void StageModel::hide(PhaseSeconds& pass, double shared) const {
  double& dispatch = pass[TrainingPhase::dispatch];
  double& combine = pass[TrainingPhase::combine];
  const double sent = dispatch + combine;
  if (sent <= 0) return;
  if (overlap_ == Overlap::shared_expert) {
    dispatch = std::max(0.0, dispatch - shared);
  } else if (overlap_ == Overlap::two_batch) {
    const double compute = pass.sum() - sent;
    const double exposed = std::max(0.0, sent - compute) / sent;
    dispatch *= exposed;
    combine *= exposed;
  }
}

void StageModel::finish(LayerPasses& passes) const {
  hide(passes.forward, shared_.value);
  hide(passes.backward, kBackward * shared_.value);
  if (recomputes_) passes.recompute = passes.forward;
}

void StageModel::evaluate(MoeStep* moe, MoeNetwork* network, LinkLedger& ledger, Seconds now,
                          std::vector<LayerPasses>& out) {
  out = fixed_;
  ledger.repeat(exchanges());
  int moe_layer = first_moe_layer_;
  for (int layer = layers_.first; layer < layers_.end; ++layer) {
    LayerPasses& passes = out[static_cast<std::size_t>(layer - layers_.first)];
    if (is_moe_layer(model_, layer)) {
      add_experts(moe_layer++, *moe, network, ledger, now, passes);
    }
    finish(passes);
  }
  ledger.repeat(1);
}

}  // namespace moesim
