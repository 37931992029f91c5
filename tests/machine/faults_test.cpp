#include "sim/machine/faults.hpp"

#include <catch2/catch.hpp>

#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

// 20 MB at 50 GB/s are 400 us. From 104.5 us on, for 200 us, a quarter of the bandwidth: 10 MB
// before, 2.5 MB during, the rest after.
TEST_CASE("A NIC at a quarter of its bandwidth for a while costs what it did not carry") {
  Cluster cluster = build_cluster(hopper(2));
  const auto machine = make_analytic_machine(cluster);
  double end = 0;
  machine->start({{GpuId{0}, GpuId{8}, 20_MB}},
                 [&](std::span<const Seconds> finish) { end = finish[0].value; });
  schedule_link_fault(*machine, cluster, "node0.nic0", 0.25, 104.5_us, 200_us);
  machine->run();
  CHECK(end == near(4.5e-6 + 100e-6 + 200e-6 + (20e6 - 5e6 - 2.5e6) / 50e9));
  CHECK(cluster.links_changed() == 0);
}

TEST_CASE("A fault on nothing, or with a fraction above one, is refused") {
  Cluster cluster = build_cluster(hopper(2));
  const auto machine = make_analytic_machine(cluster);
  CHECK_THROWS_WITH(schedule_link_fault(*machine, cluster, "node7.nic0", 0.5, 0_us, 1_us),
                    Catch::Contains("node7.nic0"));
  CHECK_THROWS_WITH(schedule_link_fault(*machine, cluster, "node0.nic0", 2, 0_us, 1_us),
                    Catch::Contains("from 0 (down) to 1"));
}
