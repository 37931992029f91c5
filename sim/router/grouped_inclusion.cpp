#include "sim/router/grouped_inclusion.hpp"

#include <algorithm>
#include <cmath>

#include "sim/router/token_sampler.hpp"

namespace moesim {

std::vector<GroupThreshold> group_thresholds(const RouterShape& shape,
                                             std::span<const double> rates, int tokens,
                                             Stream& stream) {
  TokenSampler sampler(shape, rates);
  const auto groups = static_cast<std::size_t>(shape.expert_groups);
  std::vector<int> chosen(static_cast<std::size_t>(shape.top_k));
  std::vector<double> latest(groups);
  std::vector<double> sum(groups);
  std::vector<double> squares(groups);
  for (int t = 0; t < tokens; ++t) {
    sampler.draw(stream, chosen);
    sampler.thresholds(latest);
    for (std::size_t g = 0; g < groups; ++g) {
      sum[g] += latest[g];
      squares[g] += latest[g] * latest[g];
    }
  }
  std::vector<GroupThreshold> fitted(groups);
  for (std::size_t g = 0; g < groups; ++g) {
    const double mean = sum[g] / tokens;
    const double variance = std::max(squares[g] / tokens - mean * mean, 1e-6 * mean * mean);
    fitted[g] = {mean, mean * mean / variance};
  }
  return fitted;
}

void grouped_inclusion(std::span<const GroupThreshold> thresholds,
                       std::span<const double> rates, int top_k, std::span<double> pi) {
  const std::size_t size = rates.size() / thresholds.size();
  // One factor on all thresholds, so that the sum is top_k: Newton's steps in its logarithm.
  double level = 1;
  for (int i = 0; i < 20; ++i) {
    double sum = 0;
    double slope = 0;
    for (std::size_t e = 0; e < rates.size(); ++e) {
      const GroupThreshold& x = thresholds[e / size];
      const double scaled = level * rates[e] * x.mean / x.shape;
      const double miss = std::exp(-x.shape * std::log1p(scaled));
      pi[e] = 1 - miss;
      sum += pi[e];
      slope += x.shape * miss * scaled / (1 + scaled);
    }
    const double missing = top_k - sum;
    if (std::abs(missing) < 1e-9 * top_k || slope <= 0) break;
    level *= std::exp(std::clamp(missing / slope, -1.0, 1.0));
  }
}

}  // namespace moesim
