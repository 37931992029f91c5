#include "calibrate/measure/measure.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "calibrate/measure/verification.hpp"
#include "fake_device.hpp"
#include "sim/base/errors.hpp"

using namespace moesim;

namespace {

Measurement run(FakeDevice& device, Seconds budget, std::uint64_t seed = 1) {
  const Plan plan = make_plan(device.facts(), {.budget = budget, .seed = seed});
  Measuring how;
  how.budget = budget;
  how.clock = device.clock();
  return measure(device, plan, how);
}

}  // namespace

TEST_CASE("sampling stops once the interval is narrower than asked") {
  FakeDevice device(0.003);
  device.prepare({.m = 64, .n = 4096, .k = 4096});
  bool converged = false;
  const Summary s = sample_until_known(device, {}, device.clock(), converged);
  CHECK(converged);
  CHECK(s.relative_interval() <= 0.01);
  CHECK(s.count < 100);
}

TEST_CASE("noise beyond hope stops at the longest sample and says it did not converge") {
  FakeDevice device(0.5);
  device.prepare({.m = 64, .n = 4096, .k = 4096});
  bool converged = true;
  const Summary s = sample_until_known(device, {}, device.clock(), converged);
  CHECK_FALSE(converged);
  CHECK(s.count == StoppingRule{}.most);
}

TEST_CASE("a slow operation is sampled for no longer than allowed") {
  FakeDevice device(0.5);
  device.prepare({.m = 16384, .n = 65536, .k = 16384});  // 59 ms
  bool converged = true;
  const Summary s = sample_until_known(device, {}, device.clock(), converged);
  CHECK(s.count <= 20);
}

TEST_CASE("what counts is the time that sampling takes, not the time of one run") {
  FakeDevice device(0.5);
  device.overhead = Seconds{5e-3};  // a replay of a thousand runs of 5 us
  device.prepare({.m = 1, .n = 1024, .k = 512});
  bool converged = true;
  const Summary s = sample_until_known(device, {}, device.clock(), converged);
  CHECK_FALSE(converged);
  CHECK(s.count <= 110);  // half a second, and the batch in which it ended
}

TEST_CASE("medians are the device's law within the interval's width") {
  FakeDevice device;
  const Measurement m = run(device, Seconds{180});
  REQUIRE(m.points.size() > 1000);
  CHECK(m.left_out == 0);
  for (const Point& p : m.points) {
    CHECK(p.time.median == Approx(FakeDevice::law(p.job.op).value).epsilon(0.01));
    CHECK(p.converged);
  }
}

TEST_CASE("a budget is kept: at most one operation past it") {
  for (const double budget : {3.0, 30.0}) {
    FakeDevice device;
    const Measurement m = run(device, Seconds{budget});
    CHECK(m.left_out > 0);
    CHECK(m.points.size() > 10);
    CHECK(m.spent < Seconds{budget + 1});
  }
}

TEST_CASE("points carry their order, the conditions around them and every throttle reason") {
  FakeDevice device;
  device.throttle = 0x4;
  const Measurement m = run(device, Seconds{5});
  for (std::size_t i = 0; i < m.points.size(); ++i) {
    CHECK(m.points[i].order == static_cast<int>(i));
    REQUIRE(m.points[i].after);
    CHECK(m.points[i].after->throttle_reasons == 0x4);
  }
}

TEST_CASE("what the device refuses is listed with its reason, and the rest is measured") {
  FakeDevice device;
  device.refused = Dtype::int8;
  const Measurement m = run(device, Seconds{180});
  CHECK(m.refusals.size() >= 260);
  for (const auto& r : m.refusals) CHECK(r.op.dtype == Dtype::int8);
  CHECK(m.points.size() > 1000);
}

TEST_CASE(
    "an operation that fails is listed and the rest is measured; a failing device ends it") {
  FakeDevice device;
  device.failing = Dtype::int8;
  const Measurement m = run(device, Seconds{180});
  CHECK(m.refusals.size() >= 260);
  CHECK(m.refusals.front().why == "failed: multiplying: CUBLAS_STATUS_EXECUTION_FAILED");
  CHECK(m.failure.empty());
  CHECK(m.points.size() > 1000);
  FakeDevice dying;
  dying.lost_after = 12;
  const Measurement n = run(dying, Seconds{180});
  CHECK(n.points.size() == 12);
  CHECK_THAT(n.failure, Catch::StartsWith("unspecified launch failure (--without \""));
}

TEST_CASE("a kernel that fails its check is not timed, and its failure is the reason given") {
  FakeDevice device;
  device.failing = Dtype::int8;
  const auto verified = verify_all(device);
  Plan plan = make_plan(device.facts(), {});
  const std::size_t all = plan.jobs.size();
  const auto dropped = drop_wrong(plan, verified);
  CHECK(dropped.size() >= 260);
  CHECK(plan.jobs.size() == all - dropped.size());
  for (const Refusal& r : dropped) {
    CHECK(r.op.dtype == Dtype::int8);
    CHECK_THAT(r.why, Catch::Contains("CUBLAS_STATUS_EXECUTION_FAILED"));
  }
}

TEST_CASE("an interrupted measurement keeps its points") {
  FakeDevice device;
  const Plan plan = make_plan(device.facts(), {});
  Measuring how;
  how.clock = device.clock();
  how.interrupted = [&] { return device.prepared >= 12; };
  const Measurement m = measure(device, plan, how);
  CHECK(m.interrupted);
  CHECK(m.points.size() == 12);
  CHECK(m.left_out == plan.jobs.size() - 12);
}

TEST_CASE("what there is so far is kept every so often, whole") {
  FakeDevice device;
  const Plan plan = make_plan(device.facts(), {});
  Measuring how;
  how.clock = device.clock();
  how.keep_every = Seconds{1};
  std::vector<std::size_t> kept;
  how.keep = [&](const Measurement& so_far) {
    kept.push_back(so_far.points.size());
    CHECK(so_far.spent.value >= static_cast<double>(kept.size()));
  };
  const Measurement m = measure(device, plan, how);
  CHECK(static_cast<double>(kept.size()) > m.spent.value / 1.5 - 1);
  CHECK(std::is_sorted(kept.begin(), kept.end()));
}

TEST_CASE("only what is asked for is planned and verified") {
  FakeDevice device;
  const Selection only{.only = {"gemm fp8 ", "experts bf16 multi"}};
  const Plan plan = make_plan(device.facts(), {.selection = only});
  REQUIRE(plan.jobs.size() > 200);
  for (const Job& job : plan.jobs) {
    const bool gemm = job.op.kind == OpKind::gemm && job.op.dtype == Dtype::fp8;
    CHECK((gemm ||
           (job.op.kind == OpKind::experts && job.op.backend == ExpertBackend::multi_stream)));
  }
  CHECK(verify_all(device, only).size() == 3 + 6);
  CHECK(verify_all(device, {.only = {"nothing"}}).empty());
  for (const Job& job : make_plan(device.facts(), {.selection = {.without = {"gemm"}}}).jobs) {
    CHECK(job.op.kind != OpKind::gemm);
  }
}

TEST_CASE("every operation is selected by its family, and by no other family") {
  FakeDevice device;
  std::set<std::string> families;
  for (const Job& job : all_jobs(device.facts(), {})) families.insert(family_of(job.op));
  for (const Job& job : all_jobs(device.facts(), {})) {
    for (const std::string& family : families) {
      CHECK(selects({.only = {family}}, job.op) == (family == family_of(job.op)));
    }
  }
}

TEST_CASE("energy is joules per run: watts times the operation's time") {
  FakeDevice device;
  const Measurement m = run(device, Seconds{180});
  int loops = 0;
  for (const Point& p : m.points) {
    if (!p.energy) continue;
    ++loops;
    const double joules = p.energy->energy.value / p.energy->runs;
    CHECK(joules == Approx(500 * FakeDevice::law(p.job.op).value));
    CHECK(p.energy->time.value >= 2);
  }
  CHECK(loops == 7);
}
