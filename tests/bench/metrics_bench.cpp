// What recording costs: per step, per request, and in memory for a million of them.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <deque>
#include <memory>

#include "sim/base/rng.hpp"
#include "sim/metrics/blame_report.hpp"
#include "sim/metrics/recorder.hpp"
#include "sim/metrics/summary.hpp"
#include "sim/metrics/timeline.hpp"

using namespace moesim;

namespace {

double resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

CauseSeconds some_causes(Stream& random) {
  CauseSeconds s;
  for (const Cause c : {Cause::attention, Cause::dense, Cause::dispatch, Cause::expert,
                        Cause::expert_straggler, Cause::combine, Cause::host}) {
    s[c] = 0.003 * (1 + random.uniform());
  }
  return s;
}

void blame_step(benchmark::State& state) {
  Stream random(1, "bench");
  auto blame = std::make_unique<Blame>(1);
  const CauseSeconds causes = some_causes(random);
  const Seconds step{causes.sum()};
  Seconds now{0};
  for (auto _ : state) {
    blame->step(0, now, now + step, causes, {});
    now += step;
    if (blame->steps(0).size() > 10'000'000) {
      state.PauseTiming();
      blame = std::make_unique<Blame>(1);
      now = Seconds{0};
      state.ResumeTiming();
    }
  }
}
BENCHMARK(blame_step);

void token_gap_of_a_batch(benchmark::State& state) {
  Recorder recorder({.requests = 1});
  recorder.arrived(RequestId(0), Seconds{0}, 0, 1, 1);
  Stream random(1, "bench");
  for (auto _ : state) recorder.token_gaps(Seconds{0.02 + 0.01 * random.uniform()}, 4096);
}
BENCHMARK(token_gap_of_a_batch);

// `requests` requests through a batch of 4096, 500 steps each, recorded, blamed, summarised.
void whole_run(benchmark::State& state) {
  const auto requests = static_cast<int>(state.range(0));
  const bool with_blame = state.range(1) != 0;
  double mib = 0;
  for (auto _ : state) {
    const double before = resident_mib();
    Stream random(1, "bench");
    Recorder recorder({.requests = requests, .warmup = 0.1});
    Blame blame(1, with_blame ? requests : 0);
    Timeline timeline({{"queue", SeriesKind::level}, {"tokens_per_s", SeriesKind::flow}});
    struct Running {
      RequestId id;
      int leaves;
      bool streamed;
    };
    std::deque<Running> running;  // in the order of leaving
    Seconds now{0};
    int made = 0;
    for (int step = 0; made < requests || !running.empty(); ++step) {
      for (int join = 0; join < 9 && made < requests; ++join, ++made) {
        const RequestId id(made);
        recorder.arrived(id, now, 0, 100, 500);
        recorder.first_scheduled(id, now, 0);
        if (with_blame) blame.enters(id, 0, now, now);
        running.push_back({id, step + 499, false});
      }
      const CauseSeconds causes = some_causes(random);
      const Seconds end = now + Seconds{causes.sum()};
      if (with_blame) {
        blame.step(0, now, end, causes,
                   {GpuId(step % 64), LayerId(step % 58), ExpertId(step % 256), Seconds{1e-3},
                    LinkId(step % 200), Seconds{1e-3}});
      }
      now = end;
      recorder.token_gaps(causes[Cause::host] * Seconds{10}, 4096);
      recorder.tokens(now, 1000, 4096);
      recorder.sample(MetricId::step_time, Seconds{causes.sum()});
      timeline.set(0, now, step % 7);
      timeline.add(1, now, 4096);
      for (auto r = running.rbegin(); r != running.rend() && !r->streamed; ++r) {
        r->streamed = true;
        recorder.first_token(r->id, now);
        if (with_blame) blame.first_token(r->id, now);
      }
      while (!running.empty() && running.front().leaves <= step) {
        recorder.finished(running.front().id, now);
        if (with_blame) blame.finished(running.front().id, now);
        running.pop_front();
      }
    }
    mib = resident_mib() - before;
    benchmark::DoNotOptimize(summarize(recorder, {}));
    if (with_blame) {
      benchmark::DoNotOptimize(blame_of_slowest(blame, recorder, MetricId::e2el));
    }
    state.counters["steps"] = static_cast<double>(with_blame ? blame.steps(0).size() : 0);
  }
  state.counters["new_MiB"] = mib;
  state.SetItemsProcessed(state.iterations() * requests);
}
BENCHMARK(whole_run)
    ->Args({1'000'000, 1})
    ->Args({1'000'000, 0})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

}  // namespace
