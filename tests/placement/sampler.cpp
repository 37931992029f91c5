#include "tests/placement/sampler.hpp"

#include <algorithm>
#include <numeric>

namespace moesim::testing {

Sampler::Sampler(const SamplerOptions& options, std::uint64_t seed, int layer)
    : options_(options),
      popularity_(seed, "popularity", static_cast<std::uint64_t>(layer)),
      noise_(seed, "noise", static_cast<std::uint64_t>(layer)) {
  for (int e = 0; e < options.experts; ++e) {
    log_popularity_.push_back(options.sigma * popularity_.normal());
  }
}

void Sampler::drift(double sigma) {
  for (double& b : log_popularity_) b += sigma * popularity_.normal();
}

std::vector<std::uint16_t> Sampler::tokens(int count) {
  const int size = options_.experts / options_.groups;
  std::vector<double> score(log_popularity_.size());
  std::vector<double> group_score(static_cast<std::size_t>(options_.groups));
  std::vector<int> group_order(group_score.size());
  std::vector<std::uint16_t> out;
  for (int t = 0; t < count; ++t) {
    for (std::size_t e = 0; e < score.size(); ++e) {
      score[e] = log_popularity_[e] + noise_.gumbel();
    }
    for (int g = 0; g < options_.groups; ++g) {  // the sum of a group's two best scores
      double best = -1e300;
      double second = -1e300;
      for (int e = g * size; e < (g + 1) * size; ++e) {
        const double s = score[static_cast<std::size_t>(e)];
        if (s > best) {
          second = best;
          best = s;
        } else if (s > second) {
          second = s;
        }
      }
      group_score[static_cast<std::size_t>(g)] = size > 1 ? best + second : best;
    }
    std::iota(group_order.begin(), group_order.end(), 0);
    std::ranges::stable_sort(group_order, [&](int a, int b) {
      return group_score[static_cast<std::size_t>(a)] >
             group_score[static_cast<std::size_t>(b)];
    });
    std::vector<int> candidates;
    for (int i = 0; i < options_.top_groups; ++i) {
      const int g = group_order[static_cast<std::size_t>(i)];
      for (int e = g * size; e < (g + 1) * size; ++e) candidates.push_back(e);
    }
    std::partial_sort(candidates.begin(), candidates.begin() + options_.top_k, candidates.end(),
                      [&](int a, int b) {
                        return score[static_cast<std::size_t>(a)] >
                               score[static_cast<std::size_t>(b)];
                      });
    for (int k = 0; k < options_.top_k; ++k) {
      out.push_back(static_cast<std::uint16_t>(candidates[static_cast<std::size_t>(k)]));
    }
  }
  return out;
}

std::vector<double> count_experts(const std::vector<std::uint16_t>& tokens, int experts) {
  std::vector<double> counts(static_cast<std::size_t>(experts), 0.0);
  for (const std::uint16_t e : tokens) counts[e] += 1;
  return counts;
}

std::vector<TokenView> SampledProblem::held_out_views(int top_k) const {
  std::vector<TokenView> views;
  for (const auto& layer : held_out) views.push_back({layer, top_k});
  return views;
}

SampledProblem sampled_problem(const SamplerOptions& options, const ProblemShape& shape,
                               std::uint64_t seed) {
  SampledProblem out;
  PlacementProblem& p = out.problem;
  p.layers = shape.layers;
  p.experts = options.experts;
  p.slots = shape.slots;
  p.groups = options.groups;
  p.nodes = shape.nodes;
  p.gpus = shape.gpus;
  for (int l = 0; l < shape.layers; ++l) {
    Sampler sampler(options, seed, l);
    out.tokens.push_back(sampler.tokens(shape.train_tokens));
    out.held_out.push_back(sampler.tokens(shape.test_tokens));
    const auto counts = count_experts(out.tokens.back(), options.experts);
    p.weights.insert(p.weights.end(), counts.begin(), counts.end());
  }
  for (const auto& layer : out.tokens) p.samples.push_back({layer, options.top_k});
  return out;
}

}  // namespace moesim::testing
