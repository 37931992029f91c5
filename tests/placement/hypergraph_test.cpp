#include <catch2/catch.hpp>
#include <iostream>

#include "sim/placement/bounds.hpp"
#include "sim/placement/reach.hpp"
#include "sim/placement/strategy.hpp"
#include "tests/placement/sampler.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

struct Score {
  double balancedness = 0;
  double nodes = 0;
};

// On held-out tokens, dispatched to the nearest replica.
Score judge_held_out(const SampledProblem& sampled, const Placement& placement, int top_k) {
  const auto policy = make_dispatch("nearest", placement);
  const Reach reach(placement, *policy, sampled.held_out_views(top_k));
  Score score;
  LayerLoad load;
  for (int l = 0; l < placement.layers; ++l) {
    const auto tokens = sampled.held_out[static_cast<std::size_t>(l)];
    policy->split(l, count_experts(tokens, placement.experts), load);
    score.balancedness += balancedness(load.gpu) / placement.layers;
    score.nodes += reach.nodes_per_token(l) / placement.layers;
  }
  return score;
}

}  // namespace

TEST_CASE("DeepSeek-V3 on 8 x 8 GPUs: hypergraph balances at the traffic of whole groups") {
  const auto sampled = sampled_problem(
      {.groups = 8, .top_groups = 4, .sigma = 0.7},
      {.layers = 12, .slots = 320, .train_tokens = 65536, .test_tokens = 65536}, 11);
  for (const char* strategy : {"linear", "eplb_hierarchical", "eplb_global", "hypergraph"}) {
    const Score score =
        judge_held_out(sampled, place(sampled.problem, {.strategy = strategy}), 8);
    std::cout << strategy << ": balancedness " << score.balancedness << " at " << score.nodes
              << " nodes per token\n";
    if (std::string_view(strategy) == "hypergraph") {
      CHECK(score.balancedness >= 0.94);
      CHECK(score.nodes <= 4.05);
    }
  }
}
