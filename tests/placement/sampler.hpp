// A small exact router for tests: group-limited Plackett-Luce with lognormal expert popularity.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/placement/problem.hpp"

namespace moesim::testing {

struct SamplerOptions {
  int experts = 256;
  int top_k = 8;
  int groups = 1;
  int top_groups = 1;
  double sigma = 0.7;
};

// One layer's router: log popularity per expert.
class Sampler {
 public:
  Sampler(const SamplerOptions& options, std::uint64_t seed, int layer = 0);

  // [tokens * top_k]; a second call goes on with new tokens.
  std::vector<std::uint16_t> tokens(int count);
  // Moves every log popularity by N(0, sigma^2): drift.
  void drift(double sigma);

 private:
  SamplerOptions options_;
  Stream popularity_;
  Stream noise_;
  std::vector<double> log_popularity_;
};

// [experts] how many tokens take each.
std::vector<double> count_experts(const std::vector<std::uint16_t>& tokens, int experts);

// A whole problem: samples and the loads they give.
struct SampledProblem {
  std::vector<std::vector<std::uint16_t>> tokens;    // [layers] to train on
  std::vector<std::vector<std::uint16_t>> held_out;  // [layers] to judge on
  PlacementProblem problem;                          // with views into `tokens`

  [[nodiscard]] std::vector<TokenView> held_out_views(int top_k) const;
};
struct ProblemShape {
  int layers = 1;
  int slots = 320;
  int nodes = 8;
  int gpus = 64;
  int train_tokens = 8192;
  int test_tokens = 4096;
};
SampledProblem sampled_problem(const SamplerOptions& options, const ProblemShape& shape,
                               std::uint64_t seed);

}  // namespace moesim::testing
