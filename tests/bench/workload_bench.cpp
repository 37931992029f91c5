// Requests per second that the traffic makes; a run of 1,000,000 should not notice it.
#include <benchmark/benchmark.h>

#include "sim/workload/source.hpp"

using namespace moesim;

namespace {

void make_requests(benchmark::State& state) {
  TrafficOptions traffic;
  traffic.arrivals.rate = PerSecond{40};
  traffic.input_tokens = {
      .distribution = LengthDistribution::lognormal, .mean = Tokens{2048}, .cv = 0.8};
  traffic.output_tokens = {
      .distribution = LengthDistribution::lognormal, .mean = Tokens{512}, .cv = 0.6};
  for (int i = 0; i < state.range(0); ++i) {
    traffic.tenants.push_back({.name = "tenant" + std::to_string(i)});
    traffic.tenants.back().surge = {.at = Seconds{60}, .lasts = Seconds{30}, .times = 8};
  }
  RequestSource source(traffic, 1, 1LL << 60);
  for (auto _ : state) benchmark::DoNotOptimize(source.next());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(make_requests)->Arg(1)->Arg(10)->Arg(1000);

}  // namespace
