#include "sim/router/popularity.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"
#include "sim/router/inclusion.hpp"
#include "sim/router/skew.hpp"

namespace moesim {

namespace {

// Up to here the inclusion integral is cheap, and the closed form would be off by 1 %.
constexpr int kFewExperts = 16;
// Exact tokens per layer that a grouped router's thresholds are read from.
constexpr int kThresholdTokens = 2048;
// The least inclusion of an expert: top_k others can always be found, in a trace's zero as
// well.
constexpr double kLeast = 1e-9;

}  // namespace

Popularity::Popularity(const RouterPreset& preset, const RouterShape& shape, std::uint64_t seed,
                       const std::vector<std::string>& domains, double balance_pressure)
    : shape_(shape),
      seed_(seed),
      class_share_(static_cast<std::size_t>(preset.class_sigma > 0 ? preset.classes : 1)),
      class_(shape.cells() * class_share_.size()) {
  const double kept = 1 - balance_pressure;
  RouterPreset pressed = preset;
  pressed.sigma *= kept;
  pressed.hot_factor = std::pow(preset.hot_factor, kept);
  class_share_.assign(class_share_.size(), 1.0 / static_cast<double>(class_share_.size()));
  const double class_sigma = class_share_.size() > 1 ? preset.class_sigma * kept : 0;
  Stream classes(seed, "router.class");
  for (float& c : class_) c = static_cast<float>(std::exp(class_sigma * classes.normal()));
  std::fill_n(class_.begin(), shape.hashed_cells() * class_share_.size(), 1.0F);
  match_loads(draw_loads(pressed, shape, seed));
  set_domains(domains, preset.domain_sigma * kept);
}

Popularity::Popularity(const FittedRouter& fit, const RouterShape& shape, std::uint64_t seed,
                       const std::vector<std::string>& domains, double domain_sigma,
                       double balance_pressure)
    : shape_(shape),
      seed_(seed),
      class_share_(fit.class_share),
      base_(shape.cells(), 1.0),
      class_(fit.pi.size()) {
  MOESIM_LAW(
      fit.layers == shape.layers && fit.experts == shape.experts && fit.top_k == shape.top_k,
      "a fitted router has the model's shape");
  match_classes(fit, 1 - balance_pressure);
  set_domains(domains, domain_sigma * (1 - balance_pressure));
}

void Popularity::match_loads(const std::vector<double>& load) {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  domain_.assign(1, std::vector<double>(shape_.cells(), 1.0));  // the average domain
  for (const double pi : load) base_.push_back(rate_of(pi));
  std::vector<double> pi(experts);
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const auto begin = static_cast<std::size_t>(layer) * experts;
    const Thresholds thresholds = thresholds_of(layer, 0);
    for (int round = 0; round < 3; ++round) {
      average_inclusion(layer, 0, thresholds, pi);
      for (std::size_t e = 0; e < experts; ++e) {
        base_[begin + e] *= rate_of(load[begin + e]) / rate_of(pi[e]);
      }
    }
  }
}

void Popularity::match_classes(const FittedRouter& fit, double kept) {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  domain_.assign(1, std::vector<double>(shape_.cells(), 1.0));
  std::vector<double> rate(experts);
  std::vector<double> pi(experts);
  const auto wanted = [&](int layer, int c, std::size_t e) {
    return rate_of(std::max(fit.pi_of(layer, c)[e], kLeast));
  };
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const auto factor = [&, this](int c) {
      const auto row = static_cast<std::size_t>(layer) * class_share_.size();
      return class_.data() + (row + static_cast<std::size_t>(c)) * experts;
    };
    for (int c = 0; c < classes(); ++c) {
      for (std::size_t e = 0; e < experts; ++e)
        factor(c)[e] = static_cast<float>(wanted(layer, c, e));
    }
    const Thresholds thresholds = thresholds_of(layer, 0);
    for (int c = 0; c < classes(); ++c) {
      for (int round = 0; round < 3; ++round) {
        rates(layer, c, 0, rate);
        class_inclusion(rate, thresholds, c, pi);
        for (std::size_t e = 0; e < experts; ++e) {
          const double change = wanted(layer, c, e) / rate_of(std::max(pi[e], kLeast));
          factor(c)[e] = static_cast<float>(rate[e] * change);
        }
      }
      // Balance pressure flattens what was fitted, as it does what was drawn.
      for (std::size_t e = 0; e < experts; ++e)
        factor(c)[e] = static_cast<float>(std::pow(factor(c)[e], kept));
    }
  }
}

void Popularity::set_domains(const std::vector<std::string>& names, double sigma) {
  if (!names.empty()) domain_.clear();  // else: everyone is average
  for (const std::string& name : names) {
    // Named streams: adding a tenant leaves the others' tastes as they were.
    Stream stream(seed_, "router.domain." + name);
    std::vector<double>& taste = domain_.emplace_back(shape_.cells());
    for (double& t : taste) t = std::exp(sigma * stream.normal());
    std::fill_n(taste.begin(), shape_.hashed_cells(), 1.0);
  }
  const auto experts = static_cast<std::size_t>(shape_.experts);
  marginal_.assign(domain_.size(), std::vector<double>(shape_.cells()));
  for (int domain = 0; domain < domains(); ++domain) {
    auto& all = marginal_[static_cast<std::size_t>(domain)];
    for (int layer = 0; layer < shape_.layers; ++layer) {
      const auto begin = static_cast<std::size_t>(layer) * experts;
      // Thresholds afresh: those of the matching belong to the rates before it.
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
  const float* preference =
      class_.data() +
      (row * class_share_.size() + static_cast<std::size_t>(token_class)) * experts;
  for (std::size_t e = 0; e < experts; ++e) {
    out[e] = base[e] * taste[e] * static_cast<double>(preference[e]);
  }
}

Popularity::Thresholds Popularity::thresholds_of(int layer, int domain) const {
  Thresholds all;
  if (!shape_.group_limited() || shape_.hashed(layer)) return all;
  Stream stream(seed_, "router.threshold", static_cast<std::uint64_t>(layer));
  std::vector<double> rate(static_cast<std::size_t>(shape_.experts));
  for (int c = 0; c < classes(); ++c) {
    rates(layer, c, domain, rate);
    const int tokens = std::max(64, kThresholdTokens / classes());
    all.push_back(group_thresholds(shape_, rate, tokens, stream));
  }
  return all;
}

void Popularity::class_inclusion(std::span<const double> rate, const Thresholds& thresholds,
                                 int token_class, std::span<double> pi) const {
  if (!thresholds.empty()) {
    grouped_inclusion(thresholds[static_cast<std::size_t>(token_class)], rate, shape_.top_k,
                      pi);
  } else if (shape_.experts <= kFewExperts) {
    exact_inclusion(rate, shape_.top_k, pi);
  } else {
    moesim::inclusion(rate, shape_.top_k, pi);
  }
}

void Popularity::average_inclusion(int layer, int domain, const Thresholds& thresholds,
                                   std::span<double> out) const {
  std::vector<double> rate(out.size());
  std::vector<double> pi(out.size());
  std::fill(out.begin(), out.end(), 0.0);
  for (int c = 0; c < classes(); ++c) {
    rates(layer, c, domain, rate);
    class_inclusion(rate, thresholds, c, pi);
    for (std::size_t e = 0; e < out.size(); ++e) out[e] += pi[e] * class_share(c);
  }
}

std::vector<double> moved_mass(const Popularity& from, const Popularity& to) {
  const RouterShape& shape = from.shape();
  const auto experts = static_cast<std::size_t>(shape.experts);
  std::vector<double> moved(static_cast<std::size_t>(shape.layers));
  std::vector<double> rate(experts);
  std::vector<double> before(experts);
  std::vector<double> after(experts);
  for (int layer = 0; layer < shape.layers; ++layer) {
    for (int d = 0; d < from.domains(); ++d) {
      for (int c = 0; c < from.classes(); ++c) {
        from.rates(layer, c, d, rate);
        level_inclusion(rate, shape.top_k, before);
        to.rates(layer, c, d, rate);
        level_inclusion(rate, shape.top_k, after);
        double apart = 0;
        for (std::size_t e = 0; e < experts; ++e) apart += std::abs(after[e] - before[e]) / 2;
        moved[static_cast<std::size_t>(layer)] +=
            from.class_share(c) * apart / shape.top_k / from.domains();
      }
    }
  }
  return moved;
}

std::span<const double> Popularity::inclusion_of(int domain) const {
  return marginal_[static_cast<std::size_t>(domain)];
}

}  // namespace moesim
