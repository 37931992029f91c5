// How fast the network models are; the bars are in the names. Google Benchmark prints the time.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "sim/machine/bound.hpp"
#include "sim/machine/fluid.hpp"
#include "sim/machine/transport.hpp"
#include "tests/machine/demands.hpp"

namespace moesim {
namespace {

using namespace testing;

struct Setting {
  Cluster cluster;
  RankGroup ranks;
  DispatchDemand demand;

  explicit Setting(int gpus, ClusterOptions (*options)(int) = hopper)
      : cluster(build_cluster(options(gpus / 8))),
        ranks(cluster, all_gpus(cluster)),
        demand(skewed_demand(ranks, 8, 128, 0.7, 1)) {}
};

ClusterOptions narrow(int nodes) {
  ClusterOptions options = hopper(nodes);
  options.nvlink_forwarding = false;
  options.oversubscription = 2;
  return options;
}

// Of the process so far: run alone (--benchmark_filter) it is the benchmark's own.
void show_peak(benchmark::State& state) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

void collective(benchmark::State& state, const char* model_name, Pattern pattern,
                ClusterOptions (*options)(int) = hopper) {
  Setting at(static_cast<int>(state.range(0)), options);
  const auto model = make_collective_model(model_name);
  LayerExchange layer(at.ranks, pattern, find_transport_fit(to_text(pattern), "h100-sxm"), 4);
  LinkLedger ledger(at.cluster.links(), Seconds{1});
  for (auto _ : state) {
    const Traffic& traffic = layer.dispatch(at.demand, Bytes{7392});
    benchmark::DoNotOptimize(model->time(traffic, &ledger).makespan);
  }
  show_peak(state);
}

// 58 MoE layers x (dispatch + combine), each layer with its own skew.
void step(benchmark::State& state, Pattern pattern, ClusterOptions (*options)(int) = hopper) {
  Setting at(static_cast<int>(state.range(0)), options);
  const auto model = make_collective_model("auto");
  LayerExchange layer(at.ranks, pattern, find_transport_fit(to_text(pattern), "h100-sxm"), 4);
  std::vector<DispatchDemand> layers;
  for (std::uint64_t l = 0; l < 58; ++l) {
    layers.push_back(skewed_demand(at.ranks, 8, 128, 0.7, l));
  }
  LinkLedger ledger(at.cluster.links(), Seconds{1});
  for (auto _ : state) {
    Seconds total{0};
    for (const DispatchDemand& demand : layers) {
      total += model->time(layer.dispatch(demand, Bytes{7392}), &ledger).makespan;
      total += model->time(layer.combine(demand, Bytes{14336}), &ledger).makespan;
    }
    benchmark::DoNotOptimize(total);
  }
}

void build(benchmark::State& state) {
  for (auto _ : state) {
    const Cluster cluster = build_cluster(hopper(static_cast<int>(state.range(0)) / 8));
    double latency = 0;
    for (int s = 0; s < cluster.gpus(); ++s) {
      for (int d = 0; d < cluster.gpus(); ++d) {
        latency += cluster.path(GpuId{s}, GpuId{d}).latency.value;
      }
    }
    benchmark::DoNotOptimize(latency);
  }
  show_peak(state);
}

BENCHMARK(build)
    ->Name("routes, all pairs (1024: <= .1 s, <= 200 MB)")
    ->Arg(1024)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(collective, bound, "bound", Pattern::per_domain)
    ->Name("bound node_dedup (64: <= 10 us; 1024: <= 3 ms)")
    ->Arg(64)
    ->Arg(1024)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(collective, bound_ll, "bound", Pattern::per_expert)
    ->Name("bound low_latency (64: <= 10 us; 1024: <= 3 ms)")
    ->Arg(64)
    ->Arg(1024)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(collective, fluid, "fluid", Pattern::per_rank)
    ->Name("fluid 1 % pairwise (64: <= 12 ms; 256: <= .5 s)")
    ->Arg(64)
    ->Arg(256)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(collective, fluid_narrow, "fluid", Pattern::per_rank, narrow)
    ->Name("fluid 1 % pairwise, narrow spine")
    ->Arg(64)
    ->Arg(256)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(collective, auto_narrow, "auto", Pattern::per_expert, narrow)
    ->Name("auto low_latency, narrow spine (1024: <= 200 MB)")
    ->Arg(1024)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, dedup, Pattern::per_domain)
    ->Name("step of 116, auto, node_dedup (64: <= 50; 256: <= 1000; 1024: <= 10000 ms)")
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, ll, Pattern::per_expert)
    ->Name("step of 116, auto, low_latency")
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, narrow, Pattern::per_expert, narrow)
    ->Name(
        "step of 116, auto, low_latency, narrow spine (64: <= 50; 256: <= 1000; 1024: <= "
        "10000)")
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace moesim
