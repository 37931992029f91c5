// Which experts a step's tokens take. Per layer and expert
//   theta = layer + class + domain + drift + step jitter,
// and a token takes the top k of theta + Gumbel noise. Counts come from inclusion
// probabilities, joint quantities from a cached exact sample.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/router/capacity.hpp"
#include "sim/router/counts.hpp"
#include "sim/router/life.hpp"
#include "sim/router/options.hpp"
#include "sim/router/popularity.hpp"
#include "sim/router/replay.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

// The tokens of one step. `share` has one weight per domain and is normalised; empty means
// equal shares.
struct StepMix {
  int tokens = 0;
  std::span<const double> share = {};
  int requests = 0;  // that the tokens belong to; 0: very many
};

// Tokens per (layer, expert), layer by layer; the caller keeps and reuses it.
using ExpertCounts = std::vector<int>;

// Single tokens of one layer. Token i has the same class and domain in every layer, so the
// samples of two layers can be joined.
struct TokenSample {
  int tokens = 0;
  int top_k = 0;
  std::vector<std::int32_t> expert;  // tokens x top_k, best first
  std::vector<std::int32_t> domain;  // one per token

  [[nodiscard]] std::span<const std::int32_t> of(int token) const {
    const auto k = static_cast<std::size_t>(top_k);
    return std::span(expert).subspan(static_cast<std::size_t>(token) * k, k);
  }
};

// What a capacity limit did to one step, summed over its layers (token assignments).
struct OverflowTotals {
  long routed = 0;      // tokens x top_k x layers
  long overflowed = 0;  // beyond their first choice's capacity
  long dropped = 0;     // taken by no expert
  long rerouted = 0;    // taken by another expert
  long padded = 0;      // computed on padding

  friend bool operator==(const OverflowTotals&, const OverflowTotals&) = default;
};

class Router {
 public:
  // `domains` names the tenants' domains; none means one. Throws InputError on bad options.
  Router(const RouterOptions& options, const RouterShape& shape, std::uint64_t seed,
         std::vector<std::string> domains = {});

  [[nodiscard]] const RouterShape& shape() const { return shape_; }
  [[nodiscard]] int domains() const { return popularity_.domains(); }

  // Lets popularity drift, and events happen, up to `now`; earlier times change nothing. Events
  // that go on for some steps count the calls of counts().
  void advance(Seconds now);
  // Grows whenever popularity or the mix has moved so far that anything derived from a
  // sample or from inclusion() must be made anew.
  [[nodiscard]] int epoch() const { return epoch_; }

  // Each layer sums to tokens x top_k, no expert has more than `tokens`. With
  // RouterOptions::replay the trace's next step, whatever the mix, drift and noise.
  void counts(const StepMix& mix, ExpertCounts& out);

  // Applies the capacity factor and overflow of the options: `counts` becomes what the experts
  // compute, padding included. Without a capacity nothing changes.
  OverflowTotals limit(int tokens, ExpertCounts& counts);

  // pi of the current epoch and mix, without jitter: layers x experts; sums to top_k per layer.
  [[nodiscard]] std::span<const float> inclusion() const { return pi_; }

  // The same of one domain's tokens alone.
  [[nodiscard]] std::span<const float> inclusion_of(int domain) const {
    return domain_pi_[static_cast<std::size_t>(domain)];
  }
  // [layers] share of the tokens' choices that fall on other experts than without the options'
  // balance_pressure and expert_dropout: the router mass displaced, a proxy for lost quality.
  [[nodiscard]] std::span<const double> displaced() const { return displaced_; }

  // An exact sample of the current epoch and mix, drawn on first use. Valid until the epoch
  // changes.
  const TokenSample& sample(int layer);

  // As many exact tokens of the current epoch and mix as wanted.
  void draw_tokens(int layer, int tokens, Stream& stream, TokenSample& out) const;

 private:
  // The rates of one layer's (class, domain) now, drift and events included.
  void current_rates(int layer, int token_class, int domain, std::span<double> out) const;
  // Of one layer: a hashed one has no groups.
  [[nodiscard]] RouterShape layer_shape(int layer) const;
  void exact_counts(int layer, int tokens, double jitter, std::span<int> out);
  void measure_displaced(const RouterOptions& options, const std::vector<std::string>& domains);
  void draw_recorded(int layer, TokenSample& out) const;
  void drop_experts();
  void set_mix(std::span<const double> share);
  void update_life(Seconds now, bool force);
  void refresh_domains();
  void blend();

  RouterShape shape_;
  RouterPreset preset_;
  std::optional<Replay> replay_;
  Popularity popularity_;
  Seconds drift_time_;
  double capacity_factor_;
  Overflow overflow_;
  CapacityResult limited_;
  std::uint64_t seed_;
  double dropout_;
  bool exact_;
  RouterLife life_;
  long step_ = 0;
  int epoch_ = 0;
  Seconds drifted_at_{0};
  std::vector<double> drift_;                     // log rate: layers x experts
  std::vector<double> factor_;                    // of drift and events on the rates
  std::vector<std::vector<float>> domain_pi_;     // per domain: layers x experts
  std::vector<std::vector<float>> domain_slope_;  // d pi / d log rate
  std::vector<double> share_;                     // of the mix in force
  std::vector<double> sampled_share_;             // of the epoch's sample
  std::vector<double> displaced_;                 // [layers]
  std::vector<float> pi_;
  std::vector<float> slope_;
  std::vector<float> scratch_;
  std::vector<float> dropped_pi_;  // pi of a step with experts out of reach
  std::vector<float> dropped_slope_;
  std::vector<Stream> count_streams_;  // one per layer
  Stream drift_stream_;
  Stream dropout_stream_;
  std::vector<TokenSample> samples_;  // per layer; tokens == 0: not drawn yet
};

}  // namespace moesim
