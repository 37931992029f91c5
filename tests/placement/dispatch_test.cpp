#include "sim/placement/dispatch.hpp"

#include <catch2/catch.hpp>
#include <numeric>

#include "sim/placement/reach.hpp"
#include "sim/placement/strategy.hpp"
#include "tests/placement/sampler.hpp"

using namespace moesim;
using namespace moesim::testing;

TEST_CASE("loads over GPUs add up to the counts, for every policy") {
  const auto sampled = sampled_problem({}, {.layers = 2, .train_tokens = 512}, 1);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  for (const auto& entry : dispatch_policies()) {
    INFO(entry.name);
    const auto policy = make_dispatch(entry.name, placement);
    for (int l = 0; l < 2; ++l) {
      const auto counts = sampled.problem.layer_weights(l);
      LayerLoad load;
      policy->split(l, counts, load);
      CHECK(std::accumulate(load.gpu.begin(), load.gpu.end(), 0.0) ==
            Approx(std::accumulate(counts.begin(), counts.end(), 0.0)).epsilon(1e-9));
    }
  }
}

TEST_CASE("assignments over GPUs of all sources equal the loads that dispatch gives") {
  const auto sampled = sampled_problem({}, {.train_tokens = 1024}, 2);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  for (const auto& entry : dispatch_policies()) {
    INFO(entry.name);
    const auto policy = make_dispatch(entry.name, placement);
    const Reach reach(placement, *policy, sampled.problem.samples);
    const DispatchDemand& d = reach.sampled(0);
    LayerLoad load;
    policy->split(0, sampled.problem.layer_weights(0), load);
    for (int r = 0; r < d.ranks; ++r) {
      double received = 0;  // from 1024 / 64 tokens on each source
      for (int s = 0; s < d.ranks; ++s) {
        received += 16 * d.assignments[static_cast<std::size_t>(
                             d.group_of_rank[static_cast<std::size_t>(s)] * d.ranks + r)];
      }
      CHECK(received == Approx(load.gpu[static_cast<std::size_t>(r)]).epsilon(1e-9));
    }
  }
}

TEST_CASE("rescaling to the sample's own counts changes nothing") {
  const auto sampled = sampled_problem({}, {.train_tokens = 1024}, 3);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  const auto policy = make_dispatch("nearest", placement);
  const Reach reach(placement, *policy, sampled.problem.samples);
  DispatchDemand now;
  reach.rescale(0, sampled.problem.layer_weights(0), now);
  const DispatchDemand& then = reach.sampled(0);
  for (std::size_t i = 0; i < then.reach_rank.size(); ++i) {
    CHECK(now.assignments[i] == Approx(then.assignments[i]).epsilon(1e-9));
    CHECK(now.reach_rank[i] == Approx(then.reach_rank[i]).epsilon(1e-9));
  }
  for (std::size_t i = 0; i < then.reach_node.size(); ++i) {
    CHECK(now.reach_node[i] == Approx(then.reach_node[i]).epsilon(1e-9));
  }
}
