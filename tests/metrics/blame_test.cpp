#include "sim/metrics/blame_report.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <cmath>

#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"

using namespace moesim;

namespace {

RequestId id(int i) { return RequestId(i); }

CauseSeconds phases(double attention, double expert, double straggler, double host) {
  CauseSeconds s;
  s[Cause::attention] = attention;
  s[Cause::expert] = expert;
  s[Cause::expert_straggler] = straggler;
  s[Cause::host] = host;
  return s;
}

Straggler slow(int gpu, int layer, int expert, double seconds) {
  return {GpuId(gpu), LayerId(layer), ExpertId(expert), Seconds{seconds}, {}, {}};
}

// One instance, one step after another of random length and split; requests come and go.
struct Played {
  Blame blame{1};
  Recorder recorder;
  double spent_in_attention = 0;
};

void play(Played& p, int requests, Stream& random) {
  struct Running {
    RequestId id;
    int left;
    bool out = false;
  };
  std::vector<Running> running;
  Seconds now{0};
  int arrived = 0;
  while (arrived < requests || !running.empty()) {
    while (arrived < requests && running.size() < 4) {
      p.recorder.arrived(id(arrived), now, 0, 10, 3);
      const Seconds begin = now + Seconds{random.uniform() < 0.5 ? random.uniform() : 0};
      now = begin;
      p.recorder.first_scheduled(id(arrived), begin, 0);
      p.blame.enters(id(arrived), 0, p.recorder.records()[id(arrived).index()].arrival, begin);
      running.push_back({id(arrived), 3});
      ++arrived;
    }
    const CauseSeconds s = phases(random.uniform(), random.uniform() * 1e-3, random.uniform(),
                                  random.uniform() < 0.5 ? 0 : 1e-6);
    const Seconds end = now + Seconds{s.sum() + 1e-3};
    p.blame.step(0, now, end, s, slow(static_cast<int>(random.below(4)), 1, 2, 0.1));
    now = end;
    for (Running& r : running) {
      if (!r.out) {
        p.recorder.first_token(r.id, now);
        p.blame.first_token(r.id, now);
        r.out = true;
      } else if (r.left == 1) {
        p.recorder.finished(r.id, now);
        p.blame.finished(r.id, now);
      }
      --r.left;
    }
    std::erase_if(running, [](const Running& r) { return r.left == 0; });
    if (!running.empty() && random.uniform() < 0.3) {
      const Running& r = running.front();
      p.blame.leaves(r.id, now);
      const Seconds back = now + Seconds{random.uniform()};
      p.blame.enters(r.id, 0, {}, back);
      now = back;
    }
  }
}

}  // namespace

TEST_CASE("a request alone: wait, then its steps by cause") {
  Blame blame(1);
  Recorder recorder({.requests = 1});
  recorder.arrived(id(0), Seconds{10}, 0, 8, 2);
  recorder.first_scheduled(id(0), Seconds{12}, 0);
  blame.enters(id(0), 0, Seconds{10}, Seconds{12});
  blame.step(0, Seconds{12}, Seconds{13}, phases(0.5, 0.2, 0.1, 0.2), slow(3, 1, 7, 0.1));
  recorder.first_token(id(0), Seconds{13});
  blame.first_token(id(0), Seconds{13});
  // .5 s idle between the steps (a fault), and .1 s of the second unexplained.
  blame.step(0, Seconds{13.5}, Seconds{14}, phases(0.4, 0, 0, 0), slow(5, 2, 9, 0.3),
             Cause::fault);
  recorder.finished(id(0), Seconds{14});
  blame.finished(id(0), Seconds{14});

  const BlameReport r = blame_of_slowest(blame, recorder, MetricId::e2el);
  CHECK(r.requests == 1);
  CHECK(r.latency.value == Approx(4));
  CHECK(r.seconds[Cause::queueing] == Approx(2));
  CHECK(r.seconds[Cause::attention] == Approx(0.9));
  CHECK(r.seconds[Cause::expert_straggler] == Approx(0.1));
  CHECK(r.seconds[Cause::fault] == Approx(0.5));
  CHECK(r.seconds[Cause::other] == Approx(0.1));
  REQUIRE(r.gpus.size() == 2);
  CHECK(r.gpus[0].gpu == GpuId(5));
  CHECK(r.gpus[0].seconds.value == Approx(0.3));
  CHECK(r.experts[1].expert == ExpertId(7));

  const BlameReport first = blame_of_slowest(blame, recorder, MetricId::ttft);
  CHECK(first.latency.value == Approx(3));
  CHECK(first.seconds[Cause::fault] == 0);
  REQUIRE(first.gpus.size() == 1);
  CHECK(first.gpus[0].gpu == GpuId(3));

  const BlameReport rest = blame_of_slowest(blame, recorder, MetricId::tpot);
  CHECK(rest.latency.value == Approx(1));
  CHECK(rest.seconds[Cause::attention] == Approx(0.4));
  CHECK(rest.gpus[0].gpu == GpuId(5));
}

TEST_CASE("the causes of every request add up to its latency to 1e-9") {
  REQUIRE(rc::check("sums", [] {
    Stream random(*rc::gen::arbitrary<std::uint64_t>(), "blame");
    Played p{.blame = Blame(1), .recorder = Recorder({.requests = 40})};
    play(p, 40, random);
    for (int i = 0; i < 40; ++i) {
      const RequestRecord& r = p.recorder.records()[static_cast<std::size_t>(i)];
      const double sum = p.blame.until_end(id(i), r.e2el()).sum();
      RC_ASSERT(std::abs(sum - r.e2el().value) <= 1e-9 * r.e2el().value);
      const double first = p.blame.until_first_token(id(i), r.ttft()).sum();
      RC_ASSERT(std::abs(first - r.ttft().value) <= 1e-9 * r.ttft().value);
    }
    for (const MetricId metric : {MetricId::e2el, MetricId::ttft, MetricId::tpot}) {
      const BlameReport all = blame_of_slowest(p.blame, p.recorder, metric, 1);
      RC_ASSERT(all.requests == 40);
      RC_ASSERT(std::abs(all.seconds.sum() / all.latency.value - 1) < 1e-9);
    }
  }));
}

TEST_CASE("a request's causes are those of the steps it was in, however many came before") {
  // A day of steps of 20 ms before a request of five steps: its host time is 5 x 1 ms exactly.
  Blame blame(1);
  Seconds now{0};
  const CauseSeconds s = phases(0.015, 0.003, 0.001, 0.001);
  for (int i = 0; i < 1'000'000; ++i) {
    blame.step(0, now, now + Seconds{0.02}, s, {});
    now += Seconds{0.02};
  }
  const Seconds begin = now;
  blame.enters(id(0), 0, now, now);
  for (int i = 0; i < 5; ++i) {
    blame.step(0, now, now + Seconds{0.02}, s, {});
    now += Seconds{0.02};
    blame.first_token(id(0), now);
  }
  blame.finished(id(0), now);
  CHECK(blame.until_end(id(0), now - begin)[Cause::host] == Approx(0.005).epsilon(1e-6));
}

TEST_CASE("a move between pools is blamed on what it waited for") {
  Blame blame(2);
  Recorder recorder({.requests = 1});
  recorder.arrived(id(0), Seconds{0}, 0, 8, 2);
  recorder.first_scheduled(id(0), Seconds{0}, 0);
  blame.enters(id(0), 0, Seconds{0}, Seconds{0});
  blame.step(0, Seconds{0}, Seconds{1}, phases(1, 0, 0, 0), {});
  recorder.first_token(id(0), Seconds{1});
  blame.first_token(id(0), Seconds{1});
  blame.leaves(id(0), Seconds{1});
  blame.enters(id(0), 1, Seconds{0}, Seconds{1.25}, Cause::kv_transfer);
  blame.step(1, Seconds{1.25}, Seconds{2}, phases(0.75, 0, 0, 0), {});
  recorder.finished(id(0), Seconds{2});
  blame.finished(id(0), Seconds{2});
  const BlameReport r = blame_of_slowest(blame, recorder, MetricId::e2el);
  CHECK(r.seconds[Cause::kv_transfer] == Approx(0.25));
  CHECK(r.seconds[Cause::attention] == Approx(1.75));
}

TEST_CASE("a step whose causes exceed its duration is a broken law") {
  Blame blame(1);
  CHECK_THROWS_AS(blame.step(0, Seconds{0}, Seconds{1}, phases(2, 0, 0, 0), {}), BrokenLaw);
}
