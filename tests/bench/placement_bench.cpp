// Figures of the placement folder: EPLB on 58 x 256 experts (bar: 30 ms), one dispatch split
// and one reach rescale of a DeepSeek-V3 layer (bar: about 1-2 us each).
#include <benchmark/benchmark.h>

#include <cmath>

#include "sim/placement/reach.hpp"
#include "sim/placement/strategy.hpp"
#include "tests/placement/sampler.hpp"

namespace {

using namespace moesim;
using namespace moesim::testing;

const SampledProblem& deepseek(int layers) {
  static const SampledProblem all =
      sampled_problem({.groups = 8, .top_groups = 4}, {.layers = 58, .train_tokens = 1024}, 1);
  static const SampledProblem one =
      sampled_problem({.groups = 8, .top_groups = 4}, {.layers = 1, .train_tokens = 4096}, 1);
  return layers == 58 ? all : one;
}

void solve(benchmark::State& state, const char* strategy, int slots, int gpus) {
  PlacementProblem p = deepseek(58).problem;
  p.samples.clear();
  p.slots = slots;
  p.gpus = gpus;
  for (auto _ : state) {
    benchmark::DoNotOptimize(place(p, {.strategy = strategy}).physical_to_logical.data());
  }
}
BENCHMARK_CAPTURE(solve, eplb_320_on_64, "eplb", 320, 64)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(solve, eplb_global_320_on_64, "eplb_global", 320, 64)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(solve, eplb_global_320_on_320, "eplb_global", 320, 320)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(solve, eplb_global_288_on_144, "eplb_global", 288, 144)
    ->Unit(benchmark::kMillisecond);

// One layer with its token sample; 58 of them make DeepSeek-V3.
void solve_layer(benchmark::State& state, const char* strategy, const char* dispatch) {
  const PlacementProblem& p = deepseek(1).problem;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        place(p, {.strategy = strategy, .dispatch = dispatch}).physical_to_logical.data());
  }
}
BENCHMARK_CAPTURE(solve_layer, hypergraph, "hypergraph", "nearest")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(solve_layer, hypergraph_gather, "hypergraph", "gather")
    ->Unit(benchmark::kMillisecond);

void split(benchmark::State& state, const char* policy_name) {
  const auto& sampled = deepseek(1);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  const auto policy = make_dispatch(policy_name, placement);
  LayerLoad load;
  for (auto _ : state) {
    policy->split(0, sampled.problem.layer_weights(0), load);
    benchmark::DoNotOptimize(load.gpu.data());
  }
}
BENCHMARK_CAPTURE(split, nearest, "nearest");
BENCHMARK_CAPTURE(split, random, "random");
BENCHMARK_CAPTURE(split, round_robin, "round_robin");
BENCHMARK_CAPTURE(split, lp, "lp");
BENCHMARK_CAPTURE(split, min_active, "min_active");
BENCHMARK_CAPTURE(split, spill, "spill");

// Decode: few tokens per expert, so that idle replicas have to be reckoned with.
void split_few(benchmark::State& state, const char* policy_name) {
  const auto& sampled = deepseek(1);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  const auto policy = make_dispatch(policy_name, placement);
  std::vector<double> counts;
  for (const double n : sampled.problem.layer_weights(0)) counts.push_back(std::floor(n / 16));
  LayerLoad load;
  for (auto _ : state) {
    policy->split(0, counts, load);
    benchmark::DoNotOptimize(load.gpu.data());
  }
}
BENCHMARK_CAPTURE(split_few, nearest, "nearest");

void rescale(benchmark::State& state, const char* policy_name) {
  const auto& sampled = deepseek(1);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  const auto policy = make_dispatch(policy_name, placement);
  const Reach reach(placement, *policy, sampled.problem.samples);
  DispatchDemand demand;
  for (auto _ : state) {
    reach.rescale(0, sampled.problem.layer_weights(0), DemandShares::nodes, demand);
    benchmark::DoNotOptimize(demand.reach_rank.usual.data());
  }
}
BENCHMARK_CAPTURE(rescale, nearest, "nearest");
BENCHMARK_CAPTURE(rescale, random, "random");

void sample_reach(benchmark::State& state, const char* policy_name) {
  const auto& sampled = deepseek(1);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  const auto policy = make_dispatch(policy_name, placement);
  for (auto _ : state) {
    const Reach reach(placement, *policy, sampled.problem.samples);
    benchmark::DoNotOptimize(reach.nodes_per_token(0));
  }
}
BENCHMARK_CAPTURE(sample_reach, nearest_4096_tokens, "nearest")->Unit(benchmark::kMillisecond);

}  // namespace
