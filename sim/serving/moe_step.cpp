#include "sim/serving/moe_step.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/errors.hpp"

namespace moesim {

MoeStep::MoeStep(Router& router, const std::string& dispatch, std::vector<ExpertCurve> curves,
                 std::vector<double> speed)
    : router_(router),
      dispatch_name_(dispatch),
      curves_(std::move(curves)),
      speed_(std::move(speed)),
      watch_(router) {
  const RouterShape& shape = router.shape();
  const auto layers = static_cast<std::size_t>(shape.layers);
  stage_of_layer_.resize(layers);
  totals_.tokens.resize(shape.cells());
  totals_.layer_mean_tokens.resize(layers);
  totals_.layer_most_tokens.resize(layers);
  totals_.layer_straggler_s.resize(layers);
  totals_.layer_expert_s.resize(layers);
  totals_.layer_dispatch_s.resize(layers);
  totals_.layer_combine_s.resize(layers);
  layer_counts_.resize(static_cast<std::size_t>(shape.experts));
}

void MoeStep::set_stages(int stages, std::vector<int> of_layer) {
  MOESIM_LAW(of_layer.size() == stage_of_layer_.size(), "every MoE layer is in a stage");
  stages_ = stages;
  stage_of_layer_ = std::move(of_layer);
}

void MoeStep::use(Placement placement) {
  placement_ = std::move(placement);
  const auto ranks = static_cast<std::size_t>(stages_ * placement_.gpus);
  totals_.rank_tokens.resize(ranks);
  totals_.rank_seconds.resize(ranks);
  dispatch_ = make_dispatch(dispatch_name_, placement_, {.gpu_speed = speed_});
  reach_.reset();
  reach_epoch_ = -1;
}

void MoeStep::draw(const StepMix& mix, Seconds now) {
  router_.advance(now);
  router_.counts(mix, counts_);
  watch_.step(now, mix, counts_);
  const auto experts = static_cast<std::size_t>(router_.shape().experts);
  const std::int64_t expected = static_cast<std::int64_t>(mix.tokens) * router_.shape().top_k;
  routed_ = static_cast<double>(expected);
  for (std::size_t first = 0; first < counts_.size(); first += experts) {
    std::int64_t routed = 0;
    for (std::size_t i = first; i < first + experts; ++i) {
      totals_.tokens[i] += counts_[i];
      routed += counts_[i];
    }
    MOESIM_LAW(routed == expected, "tokens routed = tokens x top_k");
  }
  const OverflowTotals step = router_.limit(mix.tokens, counts_);
  totals_.overflow.routed += step.routed;
  totals_.overflow.overflowed += step.overflowed;
  totals_.overflow.dropped += step.dropped;
  totals_.overflow.rerouted += step.rerouted;
  totals_.overflow.padded += step.padded;
}

MoeLayerTime MoeStep::layer(int layer, const LayerShare& share,
                            std::span<const double> slowdown) {
  const double part = share.part;
  const std::size_t experts = layer_counts_.size();
  const int* counts = counts_.data() + static_cast<std::size_t>(layer) * experts;
  for (std::size_t e = 0; e < experts; ++e) layer_counts_[e] = part * counts[e];
  const auto busiest = static_cast<int>(std::max_element(counts, counts + experts) - counts);
  dispatch_->split(layer, layer_counts_, load_);

  MoeLayerTime time;
  time.busiest_expert = busiest;
  const std::size_t ranks = load_.gpu.size();
  rank_times_.resize(ranks);
  const std::size_t first =
      static_cast<std::size_t>(stage_of_layer_[static_cast<std::size_t>(layer)]) * ranks;
  for (std::size_t r = 0; r < ranks; ++r) {
    const ExpertCurve& curve = curves_[curves_.size() == 1 ? 0 : r];
    Seconds t = curve.time({load_.gpu[r], load_.active[r], load_.hottest[r]});
    if (!slowdown.empty()) t *= slowdown[r];
    rank_times_[r] = t;
    totals_.rank_tokens[first + r] += share.times * load_.gpu[r];
    totals_.rank_seconds[first + r] += share.times * t.value;
    time.mean += t;
    time.mean_tokens += load_.gpu[r];
    time.most_tokens = std::max(time.most_tokens, load_.gpu[r]);
    if (t > time.slowest) {
      time.slowest = t;
      time.slowest_rank = static_cast<int>(r);
    }
  }
  time.mean /= static_cast<double>(ranks);
  // What is dropped is not sent either; padding is.
  if (routed_ > 0) time.kept = time.mean_tokens / (part * routed_);
  // Rounding must not make the slowest faster than the mean.
  time.mean = std::min(time.mean, time.slowest);
  time.mean_tokens /= static_cast<double>(ranks);
  return time;
}

void MoeStep::refresh_reach() {
  if (reach_ != nullptr && reach_epoch_ == router_.epoch()) return;
  const auto layers = static_cast<std::size_t>(router_.shape().layers);
  samples_.resize(layers);
  std::vector<TokenView> views;
  for (std::size_t l = 0; l < layers; ++l) {
    const TokenSample& sample = router_.sample(static_cast<int>(l));
    samples_[l].assign(sample.expert.begin(), sample.expert.end());
    views.push_back({samples_[l], sample.top_k});
  }
  reach_ = std::make_unique<Reach>(placement_, *dispatch_, views);
  reach_epoch_ = router_.epoch();
}

DispatchDemand& MoeStep::demand(int layer, DemandShares asked) {
  refresh_reach();
  reach_->rescale(layer, layer_counts_, asked, demand_);
  return demand_;
}

const CurveOrigin& MoeStep::curve_origin() const {
  return std::ranges::max_element(curves_, {},
                                  [](const ExpertCurve& curve) { return curve.origin().error; })
      ->origin();
}

double MoeStep::nodes_per_token() const {
  if (reach_ == nullptr) return 1;
  const int layers = router_.shape().layers;
  double sum = 0;
  for (int l = 0; l < layers; ++l) sum += reach_->nodes_per_token(l);
  return sum / layers;
}

void MoeStep::account(int layer, const MoeLayerTime& time, const LayerShare& share) {
  const auto l = static_cast<std::size_t>(layer);
  const double part = share.part;
  totals_.layer_mean_tokens[l] += share.times * time.mean_tokens;
  totals_.layer_most_tokens[l] += share.times * time.most_tokens;
  totals_.layer_straggler_s[l] += (time.slowest - time.mean).value / part;
  totals_.layer_expert_s[l] += time.slowest.value / part;
  totals_.layer_dispatch_s[l] += time.dispatch.value / part;
  totals_.layer_combine_s[l] += time.combine.value / part;
}

}  // namespace moesim
