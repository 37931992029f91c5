// One forward, one backward: the formula first, then the schedule.
#include "sim/training/pipeline.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>

using namespace moesim;

namespace {

std::vector<std::vector<StagePass>> even(std::size_t stages, std::size_t micro_batches,
                                         StagePass pass) {
  return std::vector(stages, std::vector(micro_batches, pass));
}

Seconds whole(const std::vector<std::vector<StagePass>>& passes, Seconds transfer) {
  const std::vector<Seconds> between(passes.size() - 1, transfer);
  const std::vector<Seconds> ends = run_pipeline(passes, between);
  return *std::max_element(ends.begin(), ends.end());
}

}  // namespace

TEST_CASE(
    "with equal passes a step takes (m + p - 1)(f + b), a (p - 1)/(m + p - 1) of it idle") {
  const Seconds f{1.5};
  const Seconds b{2.5};
  for (const std::size_t p : {1U, 2U, 4U, 7U}) {
    for (const std::size_t m : {1U, 2U, 5U, 16U}) {
      const double step = whole(even(p, m, {f, b}), Seconds{0}).value;
      const double busy = static_cast<double>(m) * (f + b).value;
      INFO("p " << p << ", m " << m);
      CHECK(step == Approx(static_cast<double>(m + p - 1) * (f + b).value).epsilon(1e-12));
      CHECK(1 - busy / step ==
            Approx(static_cast<double>(p - 1) / static_cast<double>(m + p - 1)).margin(1e-12));
    }
  }
}

TEST_CASE("one micro-batch passes p stages forth and back: p (f + b) + 2 (p - 1) transfers") {
  CHECK(whole(even(4, 1, {Seconds{1}, Seconds{2}}), Seconds{0.1}).value ==
        Approx(4 * 3 + 2 * 3 * 0.1).epsilon(1e-12));
}

TEST_CASE("a step is never shorter than its busiest stage, nor than one micro-batch's way") {
  CHECK(rc::check("bounds of 1F1B", [] {
    const auto p = *rc::gen::inRange<std::size_t>(1, 6);
    const auto m = *rc::gen::inRange<std::size_t>(1, 9);
    std::vector<std::vector<StagePass>> passes(p);
    for (auto& stage : passes) {
      for (std::size_t i = 0; i < m; ++i) {
        stage.push_back({Seconds{1.0 * *rc::gen::inRange(1, 100)},
                         Seconds{1.0 * *rc::gen::inRange(1, 100)}});
      }
    }
    const double step = whole(passes, Seconds{0}).value;
    double serial = 0;
    for (const auto& stage : passes) {
      double busy = 0;
      for (const StagePass& pass : stage) busy += (pass.forward + pass.backward).value;
      RC_ASSERT(step >= busy - 1e-9);
      serial += busy;
    }
    RC_ASSERT(step <= serial + 1e-9);
    for (std::size_t i = 0; i < m; ++i) {
      double way = 0;
      for (const auto& stage : passes) way += (stage[i].forward + stage[i].backward).value;
      RC_ASSERT(step >= way - 1e-9);
    }
  }));
}
