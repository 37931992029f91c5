#include "sim/router/grouped_inclusion.hpp"

#include <algorithm>
#include <cmath>

#include "sim/router/token_sampler.hpp"

namespace moesim {

namespace {

double missed(const GroupThreshold& x, double rate) {
  return std::exp(-x.shape * std::log1p(rate * x.mean / x.shape));
}

}  // namespace

GroupThresholds group_thresholds(const RouterShape& shape, std::span<const double> rates,
                                 int tokens, Stream& stream) {
  TokenSampler sampler(shape, rates);
  const auto groups = static_cast<std::size_t>(shape.expert_groups);
  const std::size_t size = rates.size() / groups;
  std::vector<int> chosen(static_cast<std::size_t>(shape.top_k));
  std::vector<double> latest(groups);
  std::vector<double> sum(groups);
  std::vector<double> squares(groups);
  std::vector<double> gain(rates.size());
  std::vector<TokenSampler::WithoutItself> without;
  for (int t = 0; t < tokens; ++t) {
    if (t % 2 == 0) {
      sampler.draw(stream, chosen);
    } else {
      sampler.draw_mirrored(stream, chosen);
    }
    sampler.thresholds(latest);
    for (std::size_t g = 0; g < groups; ++g) {
      sum[g] += latest[g];
      squares[g] += latest[g] * latest[g];
    }
    sampler.thresholds_without(chosen, without);
    for (const auto& [expert, own] : without) {
      const auto e = static_cast<std::size_t>(expert);
      if (own == latest[e / size]) continue;
      gain[e] += std::exp(-rates[e] * latest[e / size]) - std::exp(-rates[e] * own);
    }
  }
  GroupThresholds fitted;
  for (std::size_t g = 0; g < groups; ++g) {
    const double mean = sum[g] / tokens;
    const double variance = std::max(squares[g] / tokens - mean * mean, 1e-6 * mean * mean);
    fitted.group.push_back({mean, mean * mean / variance});
  }
  for (std::size_t e = 0; e < rates.size(); ++e) {
    const double pi = 1 - missed(fitted.group[e / size], rates[e]);
    fitted.itself.push_back(pi > 0 ? 1 + gain[e] / tokens / pi : 1);
  }
  return fitted;
}

void grouped_inclusion(const GroupThresholds& thresholds, std::span<const double> rates,
                       int top_k, std::span<double> pi) {
  const std::size_t size = rates.size() / thresholds.group.size();
  // One factor on all thresholds: Newton's steps in its logarithm.
  double level = 1;
  for (int i = 0; i < 20; ++i) {
    double sum = 0;
    double slope = 0;
    for (std::size_t e = 0; e < rates.size(); ++e) {
      const GroupThreshold& x = thresholds.group[e / size];
      const double scaled = level * rates[e];
      const double miss = missed(x, scaled);
      pi[e] = std::min(thresholds.itself[e] * (1 - miss), 1.0);
      sum += pi[e];
      slope += thresholds.itself[e] * miss * scaled * x.mean / (1 + scaled * x.mean / x.shape);
    }
    const double missing = top_k - sum;
    if (std::abs(missing) < 1e-6 * top_k || slope <= 0) break;
    level *= std::exp(std::clamp(missing / slope, -1.0, 1.0));
  }
}

}  // namespace moesim
