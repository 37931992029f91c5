#include "sim/router/popularity.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/rng.hpp"
#include "sim/router/inclusion.hpp"

namespace moesim {

namespace {

// The most that one expert's inclusion may be: log(1 - pi) must stay finite.
constexpr double kMostLoad = 0.98;

// Sigma of a layer at depth y = |2x - 1| (0 middle, 1 either end), for a median of 1.
// Through .43, .67, 1.05 and 1.35 at y = 0, .5, .9 and 1, as measured on DeepSeek-V3.
double u_shape(double y) { return (0.43 + 0.48 * y + 0.44 * std::pow(y, 8)) / 0.67; }

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

// Popularity of one layer before scaling; the experts that are hot or dead lie at random.
void draw_layer(const RouterPreset& preset, double sigma, Stream& stream,
                std::span<double> weight) {
  const std::size_t n = weight.size();
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  for (std::size_t i = 0; i < n; ++i) {
    const double z = stream.normal();
    double& w = weight[order[i]];
    w = preset.shape == SkewShape::zipf ? std::pow(static_cast<double>(i + 1), -sigma)
                                        : std::exp(sigma * z);
  }
  if (preset.shape == SkewShape::collapse) {
    const std::size_t few = std::max<std::size_t>(1, n / 32);
    double rest = 0;
    double hot = 0;
    for (std::size_t i = 0; i < n; ++i) (i < few ? hot : rest) += weight[order[i]];
    for (std::size_t i = 0; i < few; ++i) weight[order[i]] *= 9 * rest / hot;
  }
  if (preset.shape == SkewShape::dead) {
    for (std::size_t i = 0; i < n / 8; ++i) weight[order[i]] = 1e-9;
  }
}

}  // namespace

Popularity::Popularity(const RouterPreset& preset, const RouterShape& shape, std::uint64_t seed,
                       const std::vector<std::string>& domains, double balance_pressure)
    : shape_(shape),
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
  for (float& c : class_) c = static_cast<float>(class_sigma * classes.normal());
  for (const std::string& name : domains) {
    // Named streams: adding a tenant leaves the others' tastes as they were.
    Stream stream(seed, "router.domain." + name);
    std::vector<double>& taste = domain_.emplace_back(shape.cells());
    for (double& t : taste) t = preset.domain_sigma * kept * stream.normal();
  }
  if (domain_.empty()) domain_.emplace_back(shape.cells(), 0.0);
  match_loads();
}

void Popularity::draw_base(const RouterPreset& preset, std::uint64_t seed) {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    Stream stream(seed, "router.layer", static_cast<std::uint64_t>(layer));
    const auto begin = static_cast<std::size_t>(layer) * experts;
    std::span<double> load(load_.data() + begin, experts);
    draw_layer(preset, sigma_of(preset, layer, shape_.layers), stream, load);
    scale_to_loads(load, shape_.top_k);
    for (std::size_t e = 0; e < experts; ++e) base_[begin + e] = std::log(rate_of(load[e]));
  }
}

void Popularity::match_loads() {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  std::vector<double> pi(experts);
  std::vector<std::vector<double>> tastes;
  tastes.swap(domain_);
  domain_.emplace_back(shape_.cells(), 0.0);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const auto begin = static_cast<std::size_t>(layer) * experts;
    for (int round = 0; classes_ > 1 && round < 3; ++round) {
      average_inclusion(layer, 0, pi);
      for (std::size_t e = 0; e < experts; ++e) {
        base_[begin + e] += std::log(rate_of(load_[begin + e]) / rate_of(pi[e]));
      }
    }
  }
  domain_.swap(tastes);
  marginal_.assign(domain_.size(), std::vector<double>(shape_.cells()));
  for (int domain = 0; domain < domains(); ++domain) {
    auto& all = marginal_[static_cast<std::size_t>(domain)];
    for (int layer = 0; layer < shape_.layers; ++layer) {
      const auto begin = static_cast<std::size_t>(layer) * experts;
      average_inclusion(layer, domain, std::span(all).subspan(begin, experts));
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
    out[e] = std::exp(base[e] + taste[e] + static_cast<double>(preference[e]));
  }
}

void Popularity::average_inclusion(int layer, int domain, std::span<double> out) const {
  std::vector<double> rate(out.size());
  std::vector<double> pi(out.size());
  std::fill(out.begin(), out.end(), 0.0);
  for (int c = 0; c < classes_; ++c) {
    rates(layer, c, domain, rate);
    inclusion(rate, shape_.top_k, pi);
    for (std::size_t e = 0; e < out.size(); ++e) out[e] += pi[e] / classes_;
  }
}

std::span<const double> Popularity::inclusion_of(int domain) const {
  return marginal_[static_cast<std::size_t>(domain)];
}

}  // namespace moesim
