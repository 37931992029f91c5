#include "sim/router/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/router/inclusion.hpp"
#include "sim/router/token_sampler.hpp"
#include "sim/router/trace_file.hpp"

namespace moesim {

namespace {

constexpr int kSampleTokens = 4096;
// Popularity is redrawn when it has moved by this much (std of log rate), the sample when the
// mix has moved by this total variation.
constexpr double kDriftStep = 0.05;
constexpr double kMixStep = 0.05;

RouterShape with_top_k(RouterShape shape, const RouterOptions& options) {
  if (options.top_k > 0) shape.top_k = options.top_k;
  if (options.hash_layers > 0) shape.hash_layers = options.hash_layers;
  check_shape(shape);
  return shape;
}

TraceShape trace_shape(const RouterShape& shape) {
  return {.layers = shape.layers, .experts = shape.experts, .top_k = shape.top_k};
}

std::optional<Replay> replay_of(const RouterOptions& options, const RouterShape& shape) {
  if (!options.replay) return std::nullopt;
  if (!names_a_file(options.skew)) {
    throw InputError(fmt::format("router.replay with router.skew = \"{}\"", options.skew),
                     "the path of a load or token trace");
  }
  return read_replay(options.skew, trace_shape(shape));
}

// Drawn from the preset, or fitted; a fit also says what the noise per step is, unless the
// options do.
Popularity popularity_of(const RouterOptions& options, const RouterShape& shape,
                         std::uint64_t seed, const std::vector<std::string>& domains,
                         const std::optional<Replay>& replay, RouterPreset& preset) {
  if (!names_a_file(options.skew)) {
    return {preset, shape, seed, domains, options.balance_pressure};
  }
  RouterFitOptions how{.classes = options.classes, .seed = seed};
  // A replay needs no classes: its tokens are at hand, or its loads know of none.
  if (replay) how.classes = 1;
  const FittedRouter fit =
      replay ? replay->fit(how) : router_from_file(options.skew, trace_shape(shape), how);
  if (options.step_jitter < 0) preset.step_jitter = fit.step_jitter;
  return {fit, shape, seed, domains, preset.domain_sigma, options.balance_pressure};
}

}  // namespace

Router::Router(const RouterOptions& options, const RouterShape& shape, std::uint64_t seed,
               std::vector<std::string> domains)
    : shape_(with_top_k(shape, options)),
      preset_(resolve_router(options)),
      replay_(replay_of(options, shape_)),
      popularity_(popularity_of(options, shape_, seed, domains, replay_, preset_)),
      drift_time_(options.drift_time),
      capacity_factor_(options.capacity_factor),
      overflow_(parse_overflow(options.overflow)),
      seed_(seed),
      dropout_(options.expert_dropout),
      exact_(options.exact),
      life_(options.events, shape_),
      drift_(shape_.cells(), 0.0),
      factor_(shape_.cells(), 1.0),
      pi_(shape_.cells()),
      slope_(shape_.cells()),
      scratch_(2 * static_cast<std::size_t>(shape_.experts)),
      drift_stream_(seed, "router.drift"),
      dropout_stream_(seed, "router.dropout") {
  for (int layer = 0; layer < shape_.layers; ++layer) {
    count_streams_.emplace_back(seed, "router.counts", static_cast<std::uint64_t>(layer));
  }
  if (preset_.drift_sigma > 0) {
    for (double& d : drift_) d = preset_.drift_sigma * drift_stream_.normal();
  }
  const auto n = static_cast<std::size_t>(popularity_.domains());
  domain_pi_.assign(n, std::vector<float>(shape_.cells()));
  domain_slope_.assign(n, std::vector<float>(shape_.cells()));
  share_.assign(n, 1.0 / static_cast<double>(n));
  sampled_share_ = share_;
  update_life(Seconds{0}, /*force=*/true);
  measure_displaced(options, domains);
}

void Router::measure_displaced(const RouterOptions& options,
                               const std::vector<std::string>& domains) {
  displaced_.assign(static_cast<std::size_t>(shape_.layers), 0.0);
  if (options.balance_pressure > 0) {
    RouterOptions free = options;
    free.balance_pressure = 0;
    RouterPreset preset = preset_;
    displaced_ =
        moved_mass(popularity_of(free, shape_, seed_, domains, replay_, preset), popularity_);
  }
  // A dropped-out expert's share goes elsewhere, whatever its popularity.
  for (double& d : displaced_) d = 1 - (1 - d) * (1 - dropout_);
}

void Router::advance(Seconds now) {
  bool drifted = false;
  if (preset_.drift_sigma > 0 && now > drifted_at_) {
    // AR(1): after a time dt the drift has kept exp(-dt / drift_time) of itself.
    const double kept = std::exp(-((now - drifted_at_) / drift_time_));
    const double fresh = preset_.drift_sigma * std::sqrt(1 - kept * kept);
    drifted = fresh >= std::min(kDriftStep, preset_.drift_sigma / 2);
    if (drifted) {
      for (double& d : drift_) d = kept * d + fresh * drift_stream_.normal();
      drifted_at_ = now;
    }
  }
  update_life(now, drifted);
}

void Router::update_life(Seconds now, bool force) {
  if (!life_.update(now, step_, popularity_.inclusion_of(0)) && !force) return;
  const auto events = life_.factors();
  for (std::size_t i = shape_.hashed_cells(); i < factor_.size(); ++i) {
    factor_[i] = std::exp(drift_[i]) * events[i];
  }
  refresh_domains();
}

void Router::refresh_domains() {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  std::vector<double> rate(experts);
  std::vector<double> pi(experts);
  for (std::size_t d = 0; d < domain_pi_.size(); ++d) {
    const auto marginal = popularity_.inclusion_of(static_cast<int>(d));
    for (std::size_t begin = 0; begin < shape_.cells(); begin += experts) {
      for (std::size_t e = 0; e < experts; ++e) {
        rate[e] = rate_of(marginal[begin + e]) * factor_[begin + e];
      }
      level_inclusion(rate, shape_.top_k, pi);
      for (std::size_t e = 0; e < experts; ++e) {
        domain_pi_[d][begin + e] = static_cast<float>(pi[e]);
        // d pi / d log rate = rate tau exp(-rate tau)
        domain_slope_[d][begin + e] = static_cast<float>((1 - pi[e]) * rate_of(pi[e]));
      }
    }
  }
  ++epoch_;
  samples_.assign(static_cast<std::size_t>(shape_.layers), {});
  sampled_share_ = share_;
  blend();
}

void Router::blend() {
  std::fill(pi_.begin(), pi_.end(), 0.0F);
  std::fill(slope_.begin(), slope_.end(), 0.0F);
  for (std::size_t d = 0; d < domain_pi_.size(); ++d) {
    const auto w = static_cast<float>(share_[d]);
    if (w == 0) continue;
    const float* pi = domain_pi_[d].data();
    const float* slope = domain_slope_[d].data();
    for (std::size_t i = 0; i < pi_.size(); ++i) {
      pi_[i] += w * pi[i];
      slope_[i] += w * slope[i];
    }
  }
}

void Router::set_mix(std::span<const double> share) {
  if (share.empty() || share_.size() == 1) return;
  MOESIM_LAW(share.size() == share_.size(), "a step's mix has one share per domain");
  double total = 0;
  for (const double s : share) total += s;
  MOESIM_LAW(total > 0, "a step's shares are not all zero");
  bool moved = false;
  double apart = 0;
  for (std::size_t d = 0; d < share_.size(); ++d) {
    const double s = share[d] / total;
    moved = moved || s != share_[d];
    apart += std::abs(s - sampled_share_[d]) / 2;
    share_[d] = s;
  }
  if (moved) blend();
  if (apart > kMixStep) {
    ++epoch_;
    sampled_share_ = share_;
    for (TokenSample& sample : samples_) sample.tokens = 0;
  }
}

void Router::counts(const StepMix& mix, ExpertCounts& out) {
  ++step_;
  out.resize(shape_.cells());
  if (replay_) return replay_->counts(mix.tokens, count_streams_, out);
  set_mix(mix.share);
  // Requests have tastes of their own, which average out over many.
  const double request = mix.requests > 0 ? preset_.request_sigma / std::sqrt(mix.requests) : 0;
  const double jitter = std::hypot(preset_.step_jitter, request);
  if (dropout_ > 0) drop_experts();
  const std::span<const float> pi = dropout_ > 0 ? dropped_pi_ : pi_;
  const std::span<const float> slope = dropout_ > 0 ? dropped_slope_ : slope_;
  const auto experts = static_cast<std::size_t>(shape_.experts);
  for (std::size_t layer = 0; layer < count_streams_.size(); ++layer) {
    const std::size_t begin = layer * experts;
    const std::span<int> row = std::span(out).subspan(begin, experts);
    const double shaken = shape_.hashed(static_cast<int>(layer)) ? 0 : jitter;
    if (exact_) {
      exact_counts(static_cast<int>(layer), mix.tokens, shaken, row);
    } else {
      draw_counts({pi.subspan(begin, experts), slope.subspan(begin, experts)}, shaken,
                  mix.tokens, shape_.top_k, count_streams_[layer], scratch_, row);
    }
  }
}

void Router::drop_experts() {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  dropped_pi_ = pi_;
  dropped_slope_ = slope_;
  for (std::size_t begin = 0; begin < pi_.size(); begin += experts) {
    float kept = 0;
    std::size_t there = experts;
    for (std::size_t i = begin; i < begin + experts; ++i) {
      // Always leave a token enough experts to choose from.
      const bool enough = there > static_cast<std::size_t>(shape_.top_k);
      if (dropout_stream_.uniform() < dropout_ && enough) {
        dropped_pi_[i] = dropped_slope_[i] = 0;
        --there;
      }
      kept += dropped_pi_[i];
    }
    // What the missing ones had goes to the others in proportion to their slope, which keeps
    // every pi below 1 to first order; what is left over, settle() gives away.
    const float missing = static_cast<float>(shape_.top_k) - kept;
    float slopes = 0;
    for (std::size_t i = begin; i < begin + experts; ++i) slopes += dropped_slope_[i];
    if (slopes <= 0) continue;
    for (std::size_t i = begin; i < begin + experts; ++i) {
      dropped_pi_[i] = std::min(1.0F, dropped_pi_[i] + dropped_slope_[i] * missing / slopes);
    }
  }
}

void Router::exact_counts(int layer, int tokens, double jitter, std::span<int> out) {
  std::fill(out.begin(), out.end(), 0);
  Stream& stream = count_streams_[static_cast<std::size_t>(layer)];
  std::vector<double> shaken(out.size());
  for (double& s : shaken) s = std::exp(jitter * stream.normal());
  std::vector<double> rate(out.size());
  std::vector<int> chosen(static_cast<std::size_t>(shape_.top_k));
  // Tokens per (domain, class): multinomial, one binomial after the other.
  auto left = static_cast<std::uint64_t>(tokens);
  double share_left = 1;
  const int classes = popularity_.classes();
  for (std::size_t d = 0; d < share_.size(); ++d) {
    for (int c = 0; c < classes; ++c) {
      const double share = share_[d] * popularity_.class_share(c);
      const bool last = d + 1 == share_.size() && c + 1 == classes;
      const std::uint64_t n =
          last ? left : stream.binomial(left, std::min(1.0, share / share_left));
      left -= n;
      share_left -= share;
      if (n == 0) continue;
      current_rates(layer, c, static_cast<int>(d), rate);
      for (std::size_t e = 0; e < rate.size(); ++e) rate[e] *= shaken[e];
      TokenSampler sampler(layer_shape(layer), rate);
      for (std::uint64_t t = 0; t < n; ++t) {
        sampler.draw(stream, chosen);
        for (const int e : chosen) ++out[static_cast<std::size_t>(e)];
      }
    }
  }
}

RouterShape Router::layer_shape(int layer) const {
  RouterShape shape = shape_;
  if (shape.hashed(layer)) shape.expert_groups = shape.top_groups = 1;
  return shape;
}

void Router::current_rates(int layer, int token_class, int domain,
                           std::span<double> out) const {
  popularity_.rates(layer, token_class, domain, out);
  const double* factor = factor_.data() + static_cast<std::size_t>(layer) * out.size();
  for (std::size_t e = 0; e < out.size(); ++e) out[e] *= factor[e];
}

OverflowTotals Router::limit(int tokens, ExpertCounts& counts) {
  OverflowTotals totals;
  totals.routed = static_cast<long>(tokens) * shape_.top_k * shape_.layers;
  if (capacity_factor_ <= 0 || overflow_ == Overflow::none) return totals;
  const int capacity = expert_capacity(capacity_factor_, tokens, shape_.top_k, shape_.experts);
  const auto experts = static_cast<std::size_t>(shape_.experts);
  for (std::size_t begin = 0; begin < counts.size(); begin += experts) {
    const std::span<int> row = std::span(counts).subspan(begin, experts);
    // A token's next best is the expert that rings next: e with the chance
    // rate_e exp(-rate_e tau), which is the slope.
    apply_capacity(row, std::span(slope_).subspan(begin, experts), capacity, overflow_,
                   limited_);
    for (std::size_t e = 0; e < experts; ++e) {
      row[e] = limited_.kept[e] + limited_.padded[e];
      totals.padded += limited_.padded[e];
    }
    totals.overflowed += limited_.overflowed;
    totals.dropped += limited_.dropped;
    totals.rerouted += limited_.rerouted;
  }
  return totals;
}

const TokenSample& Router::sample(int layer) {
  TokenSample& sample = samples_.at(static_cast<std::size_t>(layer));
  if (sample.tokens == 0) {
    Stream stream(seed_ + static_cast<std::uint64_t>(epoch_), "router.sample",
                  static_cast<std::uint64_t>(layer));
    draw_tokens(layer, kSampleTokens, stream, sample);
  }
  return sample;
}

// Rows evenly spread over the trace, so the same tokens in every layer of a joined one.
void Router::draw_recorded(int layer, TokenSample& out) const {
  const TokenTrace& trace = *replay_->tokens();
  const std::size_t rows = trace.rows(layer);
  const auto n = static_cast<std::size_t>(out.tokens);
  for (std::size_t token = 0; token < n; ++token) {
    const auto chosen = trace.of(layer, rows < n ? token % rows : token * rows / n);
    std::copy(chosen.begin(), chosen.end(),
              out.expert.begin() + static_cast<std::ptrdiff_t>(token * chosen.size()));
    out.domain[token] = 0;
  }
}

void Router::draw_tokens(int layer, int tokens, Stream& stream, TokenSample& out) const {
  const auto n = static_cast<std::size_t>(tokens);
  const auto k = static_cast<std::size_t>(shape_.top_k);
  out.tokens = tokens;
  out.top_k = shape_.top_k;
  out.expert.resize(n * k);
  out.domain.resize(n);
  if (replay_ && replay_->tokens() != nullptr) return draw_recorded(layer, out);
  std::vector<double> rate(static_cast<std::size_t>(shape_.experts));
  // Tokens are dealt to (domain, class) in fixed shares, so that a sample has the mix's own
  // marginals, and the same token has the same class in every layer.
  const int classes = popularity_.classes();
  std::size_t token = 0;
  double until = 0.5;
  for (std::size_t d = 0; d < share_.size(); ++d) {
    for (int c = 0; c < classes; ++c) {
      until += share_[d] * popularity_.class_share(c) * tokens;
      const bool last = d + 1 == share_.size() && c + 1 == classes;
      const std::size_t end = last ? n : std::min(n, static_cast<std::size_t>(until));
      if (token >= end) continue;
      current_rates(layer, c, static_cast<int>(d), rate);
      TokenSampler sampler(layer_shape(layer), rate);
      for (; token < end; ++token) {
        sampler.draw(stream, std::span(out.expert).subspan(token * k, k));
        out.domain[token] = static_cast<std::int32_t>(d);
      }
    }
  }
}

}  // namespace moesim
