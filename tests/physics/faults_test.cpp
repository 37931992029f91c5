// Laws of faults: nothing is lost, and nothing gets better by breaking.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

double fault_seconds(const Walk& walk) {
  double sum = 0;
  const auto& records = walk.simulation().recorder().records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].state != RequestState::finished) continue;
    sum += walk.simulation().blame().until_end(RequestId{i}, records[i].e2el())[Cause::fault];
  }
  return sum;
}

const std::vector<std::string> kTwoNodes{"cluster.nodes=2", "model.experts=16",
                                         "serving.recovery_time=2 s"};

}  // namespace

TEST_CASE("a GPU that dies loses no request: each is finished, or failed when that is asked") {
  for (const bool retry : {true, false}) {
    auto options = kTwoNodes;
    options.push_back(std::string("serving.on_failure=") + (retry ? "retry" : "fail"));
    options.push_back("traffic.arrivals.rate=100");
    const auto walk = run_with_fault(options, {.at = Seconds{1}, .target = "gpu3", .speed = 0});
    const int finished = count_of(*walk, RequestState::finished);
    const int failed = count_of(*walk, RequestState::failed);
    CHECK(finished + failed == 200);
    CHECK((failed == 0) == retry);
    CHECK((walk->simulation().retries() > 0) == retry);
    CHECK(walk->simulation().incidents().size() == 1);
    CHECK(fault_seconds(*walk) > 0);
    check_causes(*walk);
  }
}

TEST_CASE("experts of a dead GPU are on the others, and every expert is somewhere") {
  const auto walk =
      run_with_fault(kTwoNodes, {.at = Seconds{1}, .target = "node1.gpu2", .speed = 0});
  const Placement& placement = walk->simulation().moe(0)->placement();
  for (int layer = 0; layer < placement.layers; ++layer) {
    CHECK(placement.gpu_slots(layer)[10] == placement.gpu_slots(layer)[11]);
    for (int e = 0; e < placement.experts; ++e) CHECK(!placement.replicas(layer, e).empty());
  }
}

TEST_CASE("a node that comes back has its experts again") {
  const auto before = run_small(kTwoNodes);
  const auto walk = run_with_fault(
      kTwoNodes, {.at = Seconds{1}, .lasts = Seconds{4}, .target = "node1", .speed = 0});
  CHECK(walk->simulation().moe(0)->placement().physical_to_logical ==
        before->simulation().moe(0)->placement().physical_to_logical);
  CHECK(count_of(*walk, RequestState::finished) == 200);
}

TEST_CASE("where no attention rank is left the instance is down: requests wait, or fail") {
  const std::vector<std::string> tensor_parallel{"serving.tp=8", "serving.recovery_time=1 s"};
  const auto forever =
      run_with_fault(tensor_parallel, {.at = Seconds{2}, .target = "gpu0", .speed = 0});
  CHECK(count_of(*forever, RequestState::failed) > 0);
  CHECK(count_of(*forever, RequestState::finished) + count_of(*forever, RequestState::failed) ==
        200);
  const auto back = run_with_fault(
      tensor_parallel, {.at = Seconds{2}, .lasts = Seconds{5}, .target = "gpu0", .speed = 0});
  CHECK(count_of(*back, RequestState::finished) == 200);
  check_causes(*back);
}

TEST_CASE("another instance takes over what one that is down had") {
  const auto walk = run_with_fault({"serving.tp=4", "serving.instances=2"},
                                   {.at = Seconds{2}, .target = "gpu0", .speed = 0});
  CHECK(count_of(*walk, RequestState::finished) == 200);
  CHECK(walk->simulation().retries() > 0);
}

TEST_CASE("a NIC at a quarter of its speed never makes TPOT better") {
  auto options = kTwoNodes;
  options.push_back("serving.transport=pairwise");
  options.push_back("requests=10");
  const double healthy = mean_tpot(*run_small(options));
  const auto slow =
      run_with_fault(options, {.at = Seconds{0}, .target = "node1.nic1", .bandwidth = 0.25});
  CHECK(mean_tpot(*slow) >= healthy);
  // One that is down is gone around. The rows of a hot GPU then come by several NICs, which can
  // be faster than by its own, so that only even demand must not get better:
  // tests/machine/faults_test.cpp.
  const auto down =
      run_with_fault(options, {.at = Seconds{0}, .target = "node1.nic1", .bandwidth = 0});
  CHECK(count_of(*down, RequestState::finished) == 10);
}

TEST_CASE("a GPU at half speed makes steps longer, and only while it lasts") {
  const double healthy = mean_tpot(*run_small());
  const auto slow = run_with_fault({}, {.at = Seconds{0}, .target = "gpu5", .speed = 0.5});
  CHECK(mean_tpot(*slow) > 1.1 * healthy);
  const auto gone_by = run_with_fault(
      {"serving.warmup=0"},
      {.at = Seconds{1000}, .lasts = Seconds{1}, .target = "gpu5", .speed = 0.5});
  CHECK(mean_tpot(*gone_by) == healthy);
  CHECK(gone_by->simulation().duration() == run_small()->simulation().duration());
}

TEST_CASE("a fault that cannot be is refused with the name") {
  CHECK_THROWS_AS(run_with_fault({}, {.target = "node0.nic1", .speed = 0}), InputError);
  CHECK_THROWS_AS(run_with_fault({}, {.target = "nodule", .bandwidth = 0.5}), InputError);
}
