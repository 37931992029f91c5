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

// Balance and traffic of held-out tokens, both as the dispatch policy sends them.
Score judge_held_out(const SampledProblem& sampled, const Placement& placement,
                     const char* dispatch, int top_k) {
  const auto policy = make_dispatch(dispatch, placement);
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
      {.layers = 4, .slots = 320, .train_tokens = 65536, .test_tokens = 65536}, 11);
  for (const char* dispatch : {"nearest", "gather"}) {
    for (const char* strategy : {"eplb_hierarchical", "eplb_global", "hypergraph"}) {
      const Placement placement =
          place(sampled.problem, {.strategy = strategy, .dispatch = dispatch});
      const Score score = judge_held_out(sampled, placement, dispatch, 8);
      std::cout << strategy << ", " << dispatch << ": balancedness " << score.balancedness
                << " at " << score.nodes << " nodes per token\n";
      if (std::string_view(strategy) == "hypergraph") {
        CHECK(score.balancedness >= 0.94);
        if (std::string_view(dispatch) == "gather") CHECK(score.nodes <= 4.05);
      }
    }
  }
}
