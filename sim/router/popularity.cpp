#include "sim/router/popularity.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "sim/base/rng.hpp"
#include "sim/router/inclusion.hpp"

namespace moesim {

namespace {

// The most that one expert's inclusion may be: log(1 - pi) must stay finite.
constexpr double kMostLoad = 0.98;

// Popularity of an expert that is never chosen; not zero, so that top_k experts can always
// ring.
constexpr double kDead = 1e-9;
// Up to here the inclusion integral is cheap, and the closed form would be off by 1 %.
constexpr int kFewExperts = 16;
// Exact tokens per layer that a grouped router's thresholds are read from.
constexpr int kThresholdTokens = 2048;

// Sigma of a layer at depth y = |2x - 1| (0 middle, 1 either end), for a median of 1.
// .43, .67, .82 and 1.35 over .67 at y = 0, .5, .9 and 1: DeepSeek-V3's range and median, and
// its p90 of max/mean.
double u_shape(double y) {
  return (0.43 + 0.60 * y - 0.24 * y * y + 0.56 * std::pow(y, 24)) / 0.67;
}

double sigma_of(const RouterPreset& preset, int layer, int layers) {
  if (preset.shape != SkewShape::u_shaped || layers < 2) return preset.sigma;
  return preset.sigma * u_shape(std::abs(2.0 * layer / (layers - 1) - 1));
}

// Scales positive weights to sum k with none above kMostLoad.
void scale_to_loads(std::span<double> weight, int k) {
  const double most = std::max(kMostLoad, k / static_cast<double>(weight.size()));
  double factor = 0;
  for (int round = 0; round < 100; ++round) {
    double free = 0;
    double capped = 0;
    for (const double w : weight)
      (factor * w >= most ? capped : free) += factor * w >= most ? most : w;
    const double next = free > 0 ? (k - capped) / free : factor;
    if (next <= factor) break;
    factor = next;
  }
  for (double& w : weight) w = std::min(most, factor * w);
}

// Experts of a layer from the most to the least popular get these weights, lie at random, and
// are hot or dead at the two ends.
std::vector<double> draw_layer(const RouterPreset& preset, double sigma, std::size_t experts,
                               Stream& stream) {
  std::vector<double> sorted(experts);
  for (std::size_t i = 0; i < experts; ++i) {
    sorted[i] = preset.shape == SkewShape::zipf ? std::pow(static_cast<double>(i + 1), -sigma)
                                                : std::exp(sigma * stream.normal());
  }
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto part = [experts](double fraction) {
    return static_cast<std::size_t>(fraction * static_cast<double>(experts) + 0.5);
  };
  for (std::size_t i = 0; i < part(preset.hot_fraction); ++i) sorted[i] *= preset.hot_factor;
  for (std::size_t i = 0; i < part(preset.dead_fraction); ++i) sorted[experts - 1 - i] *= kDead;
  for (std::size_t i = experts; i > 1; --i) std::swap(sorted[i - 1], sorted[stream.below(i)]);
  return sorted;
}

}  // namespace

Popularity::Popularity(const RouterPreset& preset, const RouterShape& shape, std::uint64_t seed,
                       const std::vector<std::string>& domains, double balance_pressure)
    : shape_(shape),
      seed_(seed),
      classes_(preset.class_sigma > 0 ? preset.classes : 1),
      load_(shape.cells()),
      base_(shape.cells()),
      class_(shape.cells() * static_cast<std::size_t>(classes_)) {
  RouterPreset pressed = preset;
  const double kept = 1 - balance_pressure;
  pressed.sigma *= kept;
  draw_base(pressed, seed);
  const double class_sigma = classes_ > 1 ? preset.class_sigma * kept : 0;
  Stream classes(seed, "router.class");
  for (float& c : class_) c = static_cast<float>(std::exp(class_sigma * classes.normal()));
  for (const std::string& name : domains) {
    // Named streams: adding a tenant leaves the others' tastes as they were.
    Stream stream(seed, "router.domain." + name);
    std::vector<double>& taste = domain_.emplace_back(shape.cells());
    for (double& t : taste) t = std::exp(preset.domain_sigma * kept * stream.normal());
  }
  match_loads();
}

void Popularity::draw_base(const RouterPreset& preset, std::uint64_t seed) {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    Stream stream(seed, "router.layer", static_cast<std::uint64_t>(layer));
    const auto begin = static_cast<std::size_t>(layer) * experts;
    std::span<double> load(load_.data() + begin, experts);
    const double sigma = sigma_of(preset, layer, shape_.layers);
    std::ranges::copy(draw_layer(preset, sigma, experts, stream), load.begin());
    scale_to_loads(load, shape_.top_k);
    for (std::size_t e = 0; e < experts; ++e) base_[begin + e] = rate_of(load[e]);
  }
}

void Popularity::match_loads() {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  std::vector<double> pi(experts);
  std::vector<std::vector<double>> tastes(1, std::vector<double>(shape_.cells(), 1.0));
  tastes.swap(domain_);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const auto begin = static_cast<std::size_t>(layer) * experts;
    const Thresholds thresholds = thresholds_of(layer, 0);
    for (int round = 0; round < 3; ++round) {
      average_inclusion(layer, 0, thresholds, pi);
      for (std::size_t e = 0; e < experts; ++e) {
        base_[begin + e] *= rate_of(load_[begin + e]) / rate_of(pi[e]);
      }
    }
  }
  if (!tastes.empty()) domain_.swap(tastes);  // else: no domains, everyone is average
  marginal_.assign(domain_.size(), std::vector<double>(shape_.cells()));
  for (int domain = 0; domain < domains(); ++domain) {
    auto& all = marginal_[static_cast<std::size_t>(domain)];
    for (int layer = 0; layer < shape_.layers; ++layer) {
      const auto begin = static_cast<std::size_t>(layer) * experts;
      // Thresholds afresh: the first ones belong to the rates before matching.
      average_inclusion(layer, domain, thresholds_of(layer, domain),
                        std::span(all).subspan(begin, experts));
    }
  }
}

void Popularity::rates(int layer, int token_class, int domain, std::span<double> out) const {
  const std::size_t experts = out.size();
  const auto row = static_cast<std::size_t>(layer);
  const double* base = base_.data() + row * experts;
  const double* taste = domain_[static_cast<std::size_t>(domain)].data() + row * experts;
  const float* preference = class_.data() + (row * static_cast<std::size_t>(classes_) +
                                             static_cast<std::size_t>(token_class)) *
                                                experts;
  for (std::size_t e = 0; e < experts; ++e) {
    out[e] = base[e] * taste[e] * static_cast<double>(preference[e]);
  }
}

Popularity::Thresholds Popularity::thresholds_of(int layer, int domain) const {
  Thresholds all;
  if (!shape_.group_limited()) return all;
  Stream stream(seed_, "router.threshold", static_cast<std::uint64_t>(layer));
  std::vector<double> rate(static_cast<std::size_t>(shape_.experts));
  for (int c = 0; c < classes_; ++c) {
    rates(layer, c, domain, rate);
    const int tokens = std::max(64, kThresholdTokens / classes_);
    all.push_back(group_thresholds(shape_, rate, tokens, stream));
  }
  return all;
}

void Popularity::average_inclusion(int layer, int domain, const Thresholds& thresholds,
                                   std::span<double> out) const {
  std::vector<double> rate(out.size());
  std::vector<double> pi(out.size());
  std::fill(out.begin(), out.end(), 0.0);
  for (int c = 0; c < classes_; ++c) {
    rates(layer, c, domain, rate);
    if (shape_.group_limited()) {
      grouped_inclusion(thresholds[static_cast<std::size_t>(c)], rate, shape_.top_k, pi);
    } else if (shape_.experts <= kFewExperts) {
      exact_inclusion(rate, shape_.top_k, pi);
    } else {
      moesim::inclusion(rate, shape_.top_k, pi);
    }
    for (std::size_t e = 0; e < out.size(); ++e) out[e] += pi[e] / classes_;
  }
}

std::span<const double> Popularity::inclusion_of(int domain) const {
  return marginal_[static_cast<std::size_t>(domain)];
}

}  // namespace moesim
