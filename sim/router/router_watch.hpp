// What a router did while it served: tokens per expert over time, by domain, and how evenly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/router/router.hpp"

namespace moesim {

// Tokens per (layer, expert) that a stretch of time saw; the last one may not have ended.
struct LoadWindow {
  std::int64_t steps = 0;
  std::vector<std::int64_t> tokens;  // layers x experts

  void add(const LoadWindow& other);
};

class RouterWatch {
 public:
  // The router outlives this.
  explicit RouterWatch(const Router& router);

  // A step that began at `now` (never earlier than the last) had these counts.
  void step(Seconds now, const StepMix& mix, std::span<const int> counts);

  // Window i is [i, i + 1) x width. The width is a power of two of seconds, as small as lets
  // at most kMostWindows cover the run.
  static constexpr std::size_t kMostWindows = 32;
  [[nodiscard]] const std::vector<LoadWindow>& windows() const { return windows_; }
  [[nodiscard]] Seconds width() const { return width_; }
  // The same windows, wider: `width` is ours times a power of two.
  [[nodiscard]] std::vector<LoadWindow> windows(Seconds width) const;

  // [layers] experts with a token in a step, summed over the steps.
  [[nodiscard]] const std::vector<double>& active() const { return active_; }
  // [layers] sums over tokens of the load-balancing loss: balance_loss() of a step x its
  // tokens.
  [[nodiscard]] std::vector<double> balance_loss() const;
  // [domains] tokens that entered the layers.
  [[nodiscard]] const std::vector<double>& domain_tokens() const { return domain_tokens_; }
  // Tokens per (layer, expert) of one domain: its tokens x its own inclusion at the time, as
  // counts are drawn for the mix.
  [[nodiscard]] std::vector<double> domain_load(int domain) const;

 private:
  void fold();
  void settle();

  const Router& router_;
  Seconds width_{1};
  std::vector<LoadWindow> windows_;
  std::vector<double> active_;
  std::vector<double> domain_tokens_;
  // Up to the current window; what is pending belongs to it.
  std::vector<double> loss_;
  std::vector<std::vector<double>> domain_load_;
  std::vector<double> pending_tokens_;         // [domains]
  std::vector<std::int64_t> pending_choices_;  // layers x experts
};

}  // namespace moesim
