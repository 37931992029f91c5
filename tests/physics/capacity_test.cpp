// Laws of what is beyond an expert's capacity.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

TEST_CASE("a capacity drops what overflows, and a larger one drops less") {
  double before = 1;
  for (const char* factor : {"1.0", "1.5", "2.5"}) {
    const auto walk = run_small({std::string("router.capacity_factor=") + factor,
                                 "router.overflow=drop", "router.skew=0.7"});
    const Result result = walk->result("test");
    CHECK(result.balance.overflow_rate < before);
    CHECK(result.balance.overflow_rate > 0);
    CHECK(result.balance.dropped_token_rate >= result.balance.overflow_rate);
    before = result.balance.overflow_rate;
  }
  const auto rerouted =
      run_small({"router.capacity_factor=1.5", "router.overflow=reroute", "router.skew=0.7"});
  CHECK(rerouted->result("test").balance.dropped_token_rate == 0);
}

TEST_CASE("what a capacity drops is neither computed nor sent: bytes shrink by its share") {
  // One message per assignment, top-1: bytes = kept assignments x row, less those to oneself.
  const std::vector<std::string> base{"model.top_k=1", "router.skew=1.0", "cluster.nodes=2",
                                      "model.experts=16", "serving.transport=low_latency"};
  auto limited = base;
  limited.insert(limited.end(), {"router.capacity_factor=1", "router.overflow=drop"});
  struct Work {
    double kept, sent;
  };
  const auto work = [](const Walk& walk) {
    Work w{0, 0};
    for (const double t : walk.simulation().moe(0)->totals().rank_tokens) w.kept += t;
    for (int g = 0; g < walk.cluster().gpus(); ++g) {
      w.sent += walk.simulation().ledger().bytes(walk.cluster().place(GpuId{g}).up).value;
    }
    return w;
  };
  const auto some = run_small(limited);
  const OverflowTotals& overflow = some->simulation().moe(0)->totals().overflow;
  const double kept = 1 - static_cast<double>(overflow.dropped) / overflow.routed;
  REQUIRE(kept < 0.9);
  const Work all = work(*run_small(base));
  const Work less = work(*some);
  CHECK(less.kept / all.kept == Approx(kept).epsilon(1e-9));
  CHECK(less.sent / all.sent == Approx(kept).epsilon(0.02));
}
