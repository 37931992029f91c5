// KV transfers, migrations and the steps' collectives share links: laws of whole runs.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

using Options = std::vector<std::string>;

Options with(Options options, const Options& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// Experts that move between eight GPUs while they serve, over links of a tenth of NVLink's.
const Options kMoving{"model.experts=32",
                      "model.layers=4",
                      "placement.strategy=eplb",
                      "placement.redundant_experts=8",
                      "placement.training_tokens=64",
                      "router.skew=1.0",
                      "traffic.arrivals.rate=200",
                      "cluster.node.nvlink_bandwidth=45 GB/s",
                      "placement.rebalance.every_steps=100"};

// How long the first rebalance took.
double first_migration(const Walk& walk) {
  const Incident& first = walk.simulation().incidents().front();
  return (first.until - first.at).value;
}

double mean(const Walk& walk, MetricId metric) {
  return walk.result("test").summary.find(metric)->mean;
}

}  // namespace

TEST_CASE("a migration beside traffic ends later than alone, and slows the steps beside it") {
  // Alone: serving stands still for it. Beside: by the work of dispatch and combine on its
  // links.
  const auto alone = run_small(with(kMoving, {"placement.rebalance.migration=bulk"}));
  const auto beside = run_small(with(kMoving, {"placement.rebalance.migration=async"}));
  CHECK(first_migration(*beside) > first_migration(*alone) * 1.001);
  // The same experts from host memory cross no link.
  const auto host = run_small(with(
      kMoving, {"placement.rebalance.migration=async", "placement.rebalance.source=host"}));
  CHECK(mean(*beside, MetricId::dispatch_time) > mean(*host, MetricId::dispatch_time));
  CHECK(mean(*beside, MetricId::combine_time) > mean(*host, MetricId::combine_time));
}

TEST_CASE("a migration of more bytes never ends sooner") {
  double before = 0;
  for (const char* hidden : {"2048", "4096", "8192"}) {
    const auto walk =
        run_small(with(kMoving, {"placement.rebalance.migration=async",
                                 std::string("model.moe_intermediate=") + hidden}));
    CHECK(first_migration(*walk) > before);
    before = first_migration(*walk);
  }
}

TEST_CASE("with an infinite network a migration ends with the step beside it") {
  const Options infinite{"cluster.node.nvlink_bandwidth=1e18",
                         "placement.rebalance.migration=async"};
  const auto walk = run_small(with(kMoving, infinite));
  CHECK(first_migration(*walk) <= walk->result("test").summary.find(MetricId::step_time)->max);
}

TEST_CASE("the bytes of a transfer are counted once, whatever the overlap of the steps") {
  // KV crosses one NIC up and one down: bytes = requests x KV of a prompt, each way.
  const Options options{"cluster.nodes=2", "serving.mode=disaggregated", "requests=20"};
  double before = 0;
  for (const char* overlap : {"none", "two_batch"}) {
    const auto walk = run_small(with(options, {std::string("serving.overlap=") + overlap}));
    double sum = 0;
    for (const Nic& nic : walk->cluster().nics()) {
      sum += walk->simulation().ledger().bytes(nic.up).value;
    }
    CHECK(sum == Approx(20 * kv_bytes(walk->scenario().model, 256).value));
    if (before > 0) CHECK(sum == Approx(before));
    before = sum;
  }
}
