#include "sim/metrics/summary.hpp"

#include <catch2/catch.hpp>

#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"

using namespace moesim;

namespace {

RequestId id(int i) { return RequestId(i); }

// `n` requests, one a second, each scheduled after `queue`, first token after 1 s, 5 tokens in
// 2 s more.
Recorder steady(int n, double warmup) {
  Recorder recorder({.requests = n, .warmup = warmup});
  for (int i = 0; i < n; ++i) {
    const Seconds at{static_cast<double>(i)};
    recorder.arrived(id(i), at, 0, 100, 5);
    recorder.first_scheduled(id(i), at + Seconds{0.25}, 0);
    recorder.first_token(id(i), at + Seconds{1});
    recorder.token_gaps(Seconds{0.5}, 4);
    recorder.tokens(at + Seconds{1}, 100, 5);
    recorder.finished(id(i), at + Seconds{3});
  }
  return recorder;
}

}  // namespace

TEST_CASE("ttft, tpot, e2el and queue time are differences of the recorded instants") {
  const Summary s = summarize(steady(10, 0), {});
  CHECK(s.find(MetricId::ttft)->mean == Approx(1));
  CHECK(s.find(MetricId::tpot)->p99 == Approx(2.0 / 4));
  CHECK(s.find(MetricId::itl)->p50 == Approx(0.5));
  CHECK(s.find(MetricId::itl)->count == 40);
  CHECK(s.find(MetricId::e2el)->max == Approx(3));
  CHECK(s.find(MetricId::queue_time)->p90 == Approx(0.25));
  CHECK(s.find(MetricId::step_time) == nullptr);
}

TEST_CASE("throughput is what finished over first arrival to last end") {
  const Summary s = summarize(steady(10, 0), {});
  // First arrival 0 s, last end 12 s.
  CHECK(s.throughput.duration.value == Approx(12));
  CHECK(s.throughput.requests.value == Approx(10.0 / 12));
  CHECK(s.throughput.output_tokens.value == Approx(50.0 / 12));
  CHECK(s.throughput.total_tokens.value == Approx(1050.0 / 12));
}

TEST_CASE("the warm-up share of the requests is left out of every statistic") {
  const Summary s = summarize(steady(1000, 0.1), {});
  CHECK(s.requests.warmup == 100);
  CHECK(s.requests.arrived == 900);
  CHECK(s.find(MetricId::ttft)->count == 900);
  CHECK(s.find(MetricId::itl)->count == 3600);
}

TEST_CASE("a p99 of fewer than a thousand values says so") {
  CHECK(summarize(steady(999, 0), {}).find(MetricId::ttft)->small_sample);
  CHECK_FALSE(summarize(steady(1000, 0), {}).find(MetricId::ttft)->small_sample);
}

TEST_CASE("arrived = finished + shed + failed + unfinished") {
  Recorder recorder({.requests = 4});
  for (int i = 0; i < 4; ++i) recorder.arrived(id(i), Seconds{0}, 0, 1, 1);
  recorder.shed(id(0), Seconds{1});
  recorder.first_scheduled(id(1), Seconds{1}, 0);
  recorder.preempted(id(1));
  recorder.failed(id(1), Seconds{2});
  recorder.first_scheduled(id(2), Seconds{1}, 0);
  recorder.first_token(id(2), Seconds{2});
  recorder.finished(id(2), Seconds{2});
  const RequestCounts c = summarize(recorder, {}).requests;
  CHECK(c.arrived == 4);
  CHECK(c.finished == 1);
  CHECK(c.shed == 1);
  CHECK(c.failed == 1);
  CHECK(c.unfinished == 1);
  CHECK(c.preemptions == 1);
}

TEST_CASE("a request has one tpot only if it has a second token") {
  Recorder recorder({.requests = 1});
  recorder.arrived(id(0), Seconds{0}, 0, 1, 1);
  recorder.first_scheduled(id(0), Seconds{0}, 0);
  recorder.first_token(id(0), Seconds{2});
  recorder.finished(id(0), Seconds{2});
  const Summary s = summarize(recorder, {});
  CHECK(s.find(MetricId::tpot) == nullptr);
  CHECK(s.find(MetricId::ttft)->count == 1);
}

TEST_CASE("ends and ids out of order are broken laws") {
  Recorder recorder({.requests = 2});
  CHECK_THROWS_AS(recorder.arrived(id(1), Seconds{0}, 0, 1, 1), BrokenLaw);
  recorder.arrived(id(0), Seconds{1}, 0, 1, 1);
  CHECK_THROWS_AS(recorder.first_token(id(0), Seconds{2}), BrokenLaw);
  CHECK_THROWS_AS(recorder.first_scheduled(id(0), Seconds{0.5}, 0), BrokenLaw);
  recorder.shed(id(0), Seconds{2});
  CHECK_THROWS_AS(recorder.shed(id(0), Seconds{2}), BrokenLaw);
}

TEST_CASE("goodput counts the requests that keep every promise") {
  SloOptions slo;
  slo.ttft_p99 = Seconds{1.5};
  slo.tpot_p50 = Seconds{0.4};
  slo.tpot_p99 = Seconds{0.6};  // the highest percentile is a request's limit
  const Summary kept = summarize(steady(10, 0), slo);
  CHECK(kept.throughput.goodput == kept.throughput.requests);
  CHECK_FALSE(kept.slo_met());
  REQUIRE(kept.slo.size() == 3);
  CHECK(kept.slo[0] == SloVerdict{"ttft_p99", Seconds{1.5}, Seconds{1}, true});
  CHECK_FALSE(kept.slo[1].met);
  CHECK(kept.slo[2].met);
  slo.ttft_p99 = Seconds{0.9};
  CHECK(summarize(steady(10, 0), slo).throughput.goodput.value == 0);
}

TEST_CASE("tenants are summarised apart and add up") {
  Recorder recorder({.requests = 2, .tenants = {"a", "b"}});
  for (int i = 0; i < 2; ++i) {
    recorder.arrived(id(i), Seconds{0}, i, 1, 2);
    recorder.first_scheduled(id(i), Seconds{0}, 0);
    recorder.first_token(id(i), Seconds{1.0 + i});
    recorder.finished(id(i), Seconds{5});
  }
  const Summary s = summarize(recorder, {});
  REQUIRE(s.tenants.size() == 2);
  CHECK(s.tenants[1].name == "b");
  CHECK(s.tenants[1].requests.finished == 1);
  CHECK(s.tenants[1].metrics[0].mean == Approx(2));
}

TEST_CASE("replications give the mean of the figures and an interval of their spread") {
  std::vector<Summary> runs;
  for (const double ttft : {1.0, 2.0, 3.0}) {
    Summary run;
    run.metrics = {{.id = MetricId::ttft, .count = 500, .mean = ttft, .p99 = 2 * ttft}};
    run.throughput.requests = PerSecond{ttft};
    runs.push_back(run);
  }
  const Summary pooled = pool_replications(runs, {});
  const MetricSummary& m = pooled.metrics.front();
  CHECK(m.count == 1500);
  CHECK(m.mean == Approx(2));
  // s = 1, t(.975, 2) = 4.30265: half = 4.30265 / sqrt(3).
  CHECK(m.mean_interval->low == Approx(2 - 4.30265 / std::sqrt(3.0)).epsilon(1e-5));
  CHECK(pooled.throughput.requests.value == Approx(2));
}

TEST_CASE("a start that still shows in the figures is told, noise is not") {
  const auto run = [](double first_ttft) {
    Recorder recorder({.requests = 2000, .warmup = 0.05});
    Stream random(5, "ttft");
    for (int i = 0; i < 2000; ++i) {
      const Seconds at{static_cast<double>(i)};
      const double slow = i < 600 ? first_ttft : 1;
      recorder.arrived(id(i), at, 0, 1, 1);
      recorder.first_scheduled(id(i), at, 0);
      const Seconds out = at + Seconds{slow * (1 + 0.1 * random.uniform())};
      recorder.first_token(id(i), out);
      recorder.finished(id(i), out);
    }
    return summarize(recorder, {}).suggested_warmup;
  };
  CHECK(run(1) == 0);
  CHECK(run(5) == 600);
}
