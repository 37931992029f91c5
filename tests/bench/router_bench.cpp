#include <benchmark/benchmark.h>

#include "sim/router/router.hpp"

namespace {

using namespace moesim;

// One step's counts of DeepSeek-V3: 58 layers x 256 experts. The bar is 0.5 ms.
void counts(benchmark::State& state) {
  Router router(
      {}, {.layers = 58, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4}, 1);
  ExpertCounts out;
  for (auto _ : state) {
    router.counts({.tokens = static_cast<int>(state.range(0))}, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(counts)->Arg(64)->Arg(512)->Arg(8192)->Arg(65536)->Unit(benchmark::kMillisecond);

void construction(benchmark::State& state) {
  for (auto _ : state) {
    Router router(
        {}, {.layers = 58, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4}, 1);
    benchmark::DoNotOptimize(router.epoch());
  }
}
BENCHMARK(construction)->Unit(benchmark::kMillisecond);

void sample_of_a_layer(benchmark::State& state) {
  Router router(
      {}, {.layers = 58, .experts = 256, .top_k = 8, .expert_groups = 8, .top_groups = 4}, 1);
  int layer = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.sample(layer++ % 58).tokens);
  }
}
BENCHMARK(sample_of_a_layer)->Unit(benchmark::kMillisecond)->Iterations(20);

}  // namespace
