// Laws of experts that move while the system serves.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

std::vector<std::string> moving(const char* migration) {
  return {"model.experts=32",
          "model.layers=4",
          "placement.strategy=eplb",
          "placement.redundant_experts=8",
          "placement.training_tokens=64",
          "router.skew=1.0",
          "router.drift_sigma=0.8",
          "router.drift_time=10",
          "requests=200",
          std::string("placement.rebalance.migration=") + migration};
}

double balancedness(const Walk& walk) { return walk.result("test").balance.balancedness; }

}  // namespace

TEST_CASE("rebalancing under drift lifts balancedness, and moves experts x bytes of one") {
  const double fixed = balancedness(*run_small(moving("async")));
  for (const char* migration : {"bulk", "async", "layerwise"}) {
    auto options = moving(migration);
    options.emplace_back("placement.rebalance.every_steps=100");
    const auto walk = run_small(options);
    INFO(migration);
    CHECK(balancedness(*walk) > fixed);
    const RebalanceTotals& moved = walk->simulation().rebalancer(0)->totals();
    CHECK(moved.rebalances > 1);
    CHECK(moved.bytes.value == Approx(static_cast<double>(moved.experts) *
                                      expert_bytes(walk->scenario().model).value));
    CHECK(count_of(*walk, RequestState::finished) == 200);
    check_causes(*walk);
    double stalled = 0;
    const auto& records = walk->simulation().recorder().records();
    for (std::size_t i = 0; i < records.size(); ++i) {
      stalled += walk->simulation().blame().until_end(RequestId{i},
                                                      records[i].e2el())[Cause::rebalancing];
    }
    CHECK((stalled > 0) == (std::string(migration) == "bulk"));
  }
}

TEST_CASE("a fault in the middle of rebalancing loses nothing") {
  for (const char* migration : {"bulk", "layerwise"}) {
    auto options = moving(migration);
    options.emplace_back("placement.rebalance.every_steps=20");
    options.emplace_back("serving.recovery_time=1 s");
    const auto walk = run_with_fault(
        options, {.at = Seconds{3}, .lasts = Seconds{4}, .target = "gpu1", .speed = 0});
    CHECK(count_of(*walk, RequestState::finished) == 200);
    check_causes(*walk);
  }
}

TEST_CASE("in a pipeline experts move between the GPUs of their layer's own stage") {
  // A node is a stage: its NICs carry what stages hand on and nothing of a migration, so that
  // bytes = 2 x hidden x tokens to the second stage, and 4 for each token id on its way back.
  for (const char* migration : {"bulk", "async", "layerwise"}) {
    auto options = moving(migration);
    options.insert(options.end(), {"cluster.nodes=2", "serving.pp=2"});
    const double fixed = balancedness(*run_small(options));
    options.emplace_back("placement.rebalance.every_steps=100");
    const auto walk = run_small(options);
    INFO(migration);
    CHECK(balancedness(*walk) > fixed);
    const RebalanceTotals& moved = walk->simulation().rebalancer(0)->totals();
    const ModelShape& model = walk->scenario().model;
    CHECK(moved.rebalances > 1);
    CHECK(moved.bytes.value ==
          Approx(static_cast<double>(moved.experts) * expert_bytes(model).value));
    double sent = 0;
    for (const Nic& nic : walk->cluster().nics()) {
      sent += walk->simulation().ledger().bytes(nic.up).value;
    }
    const double rows = 200.0 * (256 + 31) * 2 * model.hidden;
    CHECK(sent == Approx(rows + 4.0 * 200 * 32).epsilon(1e-9));
    CHECK(count_of(*walk, RequestState::finished) == 200);
    check_causes(*walk);
  }
}

TEST_CASE("the GPUs of a layer's stage have sent what was moved of it") {
  // Beside what goes from the hosts, where links carry no weights.
  auto options = moving("async");
  options.insert(options.end(), {"cluster.nodes=2", "serving.pp=2", "requests=100",
                                 "placement.rebalance.every_steps=100"});
  const auto network = run_small(options);
  options.emplace_back("placement.rebalance.source=host");
  const auto host = run_small(options);
  const auto sent = [](const Walk& walk, int node) {
    double bytes = 0;
    for (int g = 8 * node; g < 8 * node + 8; ++g) {
      bytes += walk.simulation().ledger().bytes(walk.cluster().place(GpuId{g}).up).value;
    }
    return bytes;
  };
  const double moved = network->simulation().rebalancer(0)->totals().bytes.value;
  for (const int node : {0, 1}) {
    CHECK(sent(*network, node) > sent(*host, node) + 0.25 * moved);
  }
}
