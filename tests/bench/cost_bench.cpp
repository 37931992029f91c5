// What one question to the cost model costs: the simulator asks it per GPU, layer and step.
#include <benchmark/benchmark.h>

#include "calibrate/cost_model.hpp"

namespace {

using namespace moesim;

const CostModel& model() {
  static const CostModel shared(load_profile("h200-sxm/sglang"));
  return shared;
}

void expert_evaluation(benchmark::State& state) {
  const ExpertCurve curve = model().experts({7168, 2048, 36, 8, Dtype::fp8_block, true, 64});
  double tokens = 100;
  for (auto _ : state) {
    tokens = tokens < 4000 ? tokens * 1.01 : 100;
    benchmark::DoNotOptimize(curve.time({tokens, 36, tokens / 12}));
  }
}
BENCHMARK(expert_evaluation);

void gemm_evaluation(benchmark::State& state) {
  const GemmCurve curve = model().gemm(7168, 2048, Dtype::fp8_block);
  double rows = 1;
  for (auto _ : state) {
    rows = rows < 8000 ? rows * 1.01 : 1;
    benchmark::DoNotOptimize(curve.time(rows));
  }
}
BENCHMARK(gemm_evaluation);

void decode_evaluation(benchmark::State& state) {
  AttentionConfig config;
  config.heads = 32;
  config.kv_heads = 8;
  const AttentionCurve curve = model().attention(config);
  double kv = 100;
  for (auto _ : state) {
    kv = kv < 1e5 ? kv * 1.01 : 100;
    benchmark::DoNotOptimize(curve.decode(64, kv));
  }
}
BENCHMARK(decode_evaluation);

void expert_preparation(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(model().experts({7168, 2048, 36, 8, Dtype::fp8_block, true, 64}));
  }
}
BENCHMARK(expert_preparation)->Unit(benchmark::kMillisecond);

void profile_loading(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load_profile("h200-sxm/sglang"));
}
BENCHMARK(profile_loading)->Unit(benchmark::kMillisecond);

}  // namespace
