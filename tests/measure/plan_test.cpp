#include "calibrate/measure/plan.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "fake_device.hpp"

using namespace moesim;

namespace {

std::size_t count(const std::vector<Job>& jobs, auto holds) {
  return static_cast<std::size_t>(std::count_if(jobs.begin(), jobs.end(), holds));
}

}  // namespace

TEST_CASE(
    "each GEMM format has 192 grid points, 48 hold-outs off the grid and both sides of steps") {
  const FakeDevice device;
  const auto jobs = all_jobs(device.facts(), {});
  std::set<std::int64_t> grid_m;
  for (const Dtype dtype : {Dtype::bf16, Dtype::fp8, Dtype::fp8_block, Dtype::int8}) {
    const auto of = [&](Purpose purpose) {
      return count(jobs, [&](const Job& j) {
        return j.op.kind == OpKind::gemm && j.op.dtype == dtype && j.purpose == purpose;
      });
    };
    CHECK(of(Purpose::fit) == 12 * 4 * 4);
    CHECK(of(Purpose::holdout) == 48);
    CHECK(of(Purpose::step) == 2 * 2 * 5);
  }
  std::set<std::int64_t> m, n, k, steps;
  for (const Job& j : jobs) {
    if (j.op.kind != OpKind::gemm || j.purpose != Purpose::fit) continue;
    m.insert(j.op.m), n.insert(j.op.n), k.insert(j.op.k);
  }
  for (const Job& j : jobs) {
    if (j.op.kind != OpKind::gemm) continue;
    if (j.purpose == Purpose::step) steps.insert(j.op.m);
    if (j.purpose != Purpose::holdout) continue;
    CHECK(m.count(j.op.m) + n.count(j.op.n) + k.count(j.op.k) == 0);
  }
  CHECK(steps == std::set<std::int64_t>{64, 65, 128, 129, 256, 257, 512, 513, 1024, 1025});
}

TEST_CASE("a third of the expert points is skewed, for every back end") {
  const FakeDevice device;
  std::map<ExpertBackend, std::pair<int, int>> of;
  for (const Job& j : all_jobs(device.facts(), {})) {
    if (j.op.kind != OpKind::experts || j.purpose != Purpose::fit) continue;
    auto& [skewed, all] = of[j.op.backend];
    skewed += j.op.pattern != ExchangePattern::uniform;
    ++all;
  }
  CHECK(of.size() == 4);
  for (const auto& [backend, counts] : of) {
    INFO(to_text(backend));
    CHECK(3 * counts.first == counts.second);
  }
}

TEST_CASE("the same seed plans the same order, another seed another order") {
  const FakeDevice device;
  const Plan a = make_plan(device.facts(), {.seed = 4});
  CHECK(a.jobs == make_plan(device.facts(), {.seed = 4}).jobs);
  CHECK(a.jobs != make_plan(device.facts(), {.seed = 5}).jobs);
}

TEST_CASE("the budget allows what it expects, and the most important first") {
  const FakeDevice device;
  for (const double budget : {5.0, 30.0, 180.0}) {
    const Plan plan = make_plan(device.facts(), {.budget = Seconds{budget}});
    Seconds spent{0};
    int highest = 0;
    for (std::size_t i = 0; i < plan.expected; ++i) {
      spent += plan.jobs[i].estimate;
      highest = std::max(highest, plan.jobs[i].tier);
    }
    CHECK(spent <= Seconds{budget});
    for (std::size_t i = plan.expected; i < plan.jobs.size(); ++i) {
      CHECK(plan.jobs[i].tier >= highest);
    }
  }
}

TEST_CASE("three minutes are enough for the whole plan of one GPU") {
  const FakeDevice device;
  const Plan plan = make_plan(device.facts(), {.budget = Seconds{180}});
  CHECK(plan.expected == plan.jobs.size());
}

TEST_CASE("measured in random order, a slow drift biases no axis") {
  // Correlation of position and log m over the GEMM grid: within 4 / sqrt(n) of zero.
  const FakeDevice device;
  const Plan plan = make_plan(device.facts(), {});
  double n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (std::size_t i = 0; i < plan.expected; ++i) {
    if (plan.jobs[i].op.kind != OpKind::gemm) continue;
    const auto x = static_cast<double>(i);
    const double y = std::log(static_cast<double>(plan.jobs[i].op.m));
    ++n, sx += x, sy += y, sxx += x * x, syy += y * y, sxy += x * y;
  }
  const double r = (n * sxy - sx * sy) / std::sqrt((n * sxx - sx * sx) * (n * syy - sy * sy));
  CHECK(std::abs(r) < 4 / std::sqrt(n));
}

TEST_CASE("a model's own shapes are in the plan, whole and shared, before the grids") {
  const FakeDevice device;
  PlanOptions options;
  options.models.push_back(
      {"deepseek-v3", 7168, 2048, 256, 8, 128, 0, 0, {Dtype::bf16, Dtype::fp8}});
  std::set<std::int64_t> held;
  for (const Job& j : all_jobs(device.facts(), options)) {
    if (j.purpose != Purpose::model) continue;
    CHECK(j.tier == 0);
    CHECK(j.op.hidden == 7168);
    held.insert(j.op.experts);
  }
  CHECK(held == std::set<std::int64_t>{8, 32, 256});
}

TEST_CASE("no job needs more than a third of the device's memory") {
  FakeDevice device;
  device.facts_.memory = Bytes{24e9};
  for (const Job& j : all_jobs(device.facts(), {})) CHECK(bytes_of(j.op) <= Bytes{8e9});
}
