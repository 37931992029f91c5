#include "sim/router/router_watch.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

namespace {

// Adjacent pairs become one.
std::vector<LoadWindow> halved(std::vector<LoadWindow> windows) {
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (i % 2 == 1) {
      windows[i / 2].add(windows[i]);
    } else if (i > 0) {
      windows[i / 2] = std::move(windows[i]);
    }
  }
  windows.resize((windows.size() + 1) / 2);
  return windows;
}

// loss += per layer experts x sum_e N_e pi_e / top_k^2: tokens x balance_loss(), linear in N.
void add_loss(const RouterShape& shape, std::span<const std::int64_t> choices,
              std::span<const float> inclusion, std::vector<double>& loss) {
  const auto experts = static_cast<std::size_t>(shape.experts);
  const double scale = shape.experts / (static_cast<double>(shape.top_k) * shape.top_k);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    loss[i / experts] +=
        scale * static_cast<double>(choices[i]) * static_cast<double>(inclusion[i]);
  }
}

}  // namespace

void LoadWindow::add(const LoadWindow& other) {
  steps += other.steps;
  if (tokens.size() < other.tokens.size()) tokens.resize(other.tokens.size());
  for (std::size_t i = 0; i < other.tokens.size(); ++i) tokens[i] += other.tokens[i];
}

RouterWatch::RouterWatch(const Router& router)
    : router_(router),
      active_(static_cast<std::size_t>(router.shape().layers)),
      domain_tokens_(static_cast<std::size_t>(router.domains())),
      loss_(active_.size()),
      domain_load_(domain_tokens_.size(), std::vector<double>(router.shape().cells())),
      pending_tokens_(domain_tokens_.size()),
      pending_choices_(router.shape().cells()) {}

void RouterWatch::step(Seconds now, const StepMix& mix, std::span<const int> counts) {
  while (now >= static_cast<double>(kMostWindows) * width_) fold();
  const auto index = static_cast<std::size_t>(now / width_);
  if (index >= windows_.size()) {
    settle();
    windows_.resize(index + 1);
  }
  LoadWindow& window = windows_[index];
  ++window.steps;
  window.tokens.resize(counts.size());
  const std::size_t experts = counts.size() / active_.size();
  for (std::size_t layer = 0; layer < active_.size(); ++layer) {
    int active = 0;
    for (std::size_t i = layer * experts; i < (layer + 1) * experts; ++i) {
      window.tokens[i] += counts[i];
      pending_choices_[i] += counts[i];
      active += counts[i] > 0 ? 1 : 0;
    }
    active_[layer] += active;
  }
  double shares = 0;
  for (const double s : mix.share) shares += s;
  const double even = 1 / static_cast<double>(domain_tokens_.size());
  for (std::size_t d = 0; d < domain_tokens_.size(); ++d) {
    const double tokens = mix.tokens * (shares > 0 ? mix.share[d] / shares : even);
    domain_tokens_[d] += tokens;
    pending_tokens_[d] += tokens;
  }
}

void RouterWatch::fold() {
  windows_ = halved(std::move(windows_));
  width_ *= 2;
}

void RouterWatch::settle() {
  loss_ = balance_loss();
  for (int d = 0; d < router_.domains(); ++d) {
    domain_load_[static_cast<std::size_t>(d)] = domain_load(d);
  }
  std::ranges::fill(pending_tokens_, 0.0);
  std::ranges::fill(pending_choices_, 0);
}

std::vector<LoadWindow> RouterWatch::windows(Seconds width) const {
  std::vector<LoadWindow> wider = windows_;
  for (Seconds w = width_; w < width; w *= 2) wider = halved(std::move(wider));
  return wider;
}

std::vector<double> RouterWatch::balance_loss() const {
  std::vector<double> loss = loss_;
  add_loss(router_.shape(), pending_choices_, router_.inclusion(), loss);
  return loss;
}

std::vector<double> RouterWatch::domain_load(int domain) const {
  const auto d = static_cast<std::size_t>(domain);
  std::vector<double> load = domain_load_[d];
  const std::span<const float> pi = router_.inclusion_of(domain);
  for (std::size_t i = 0; i < load.size(); ++i) {
    load[i] += pending_tokens_[d] * static_cast<double>(pi[i]);
  }
  return load;
}

}  // namespace moesim
