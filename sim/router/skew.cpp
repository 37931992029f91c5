#include "sim/router/skew.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "sim/base/rng.hpp"

namespace moesim {

namespace {

// The most that one expert's inclusion may be: log(1 - pi) must stay finite.
constexpr double kMostLoad = 0.98;

// Popularity of an expert that is never chosen; not zero, so that top_k experts can always
// ring.
constexpr double kDead = 1e-9;

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

std::vector<double> draw_loads(const RouterPreset& preset, const RouterShape& shape,
                               std::uint64_t seed) {
  const auto experts = static_cast<std::size_t>(shape.experts);
  std::vector<double> loads;
  loads.reserve(shape.cells());
  const double even = static_cast<double>(shape.top_k) / shape.experts;
  loads.assign(shape.hashed_cells(), std::min(kMostLoad, even));
  for (int layer = shape.hash_layers; layer < shape.layers; ++layer) {
    Stream stream(seed, "router.layer", static_cast<std::uint64_t>(layer));
    auto load = draw_layer(preset, sigma_of(preset, layer, shape.layers), experts, stream);
    scale_to_loads(load, shape.top_k);
    loads.insert(loads.end(), load.begin(), load.end());
  }
  return loads;
}

}  // namespace moesim
