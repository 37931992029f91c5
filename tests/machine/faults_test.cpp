#include "sim/machine/faults.hpp"

#include <catch2/catch.hpp>

#include "sim/machine/collective.hpp"
#include "tests/machine/demands.hpp"
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

namespace {

// A dispatch and a combine of 16 GPUs.
double round_trip(const Cluster& cluster, const char* model, Pattern pattern, double skew) {
  const RankGroup ranks(cluster, all_gpus(cluster));
  LayerExchange layer(ranks, pattern, TransportFit{}, 2);
  const DispatchDemand demand = skewed_demand(ranks, 2, 64, skew, 5);
  const auto times = make_collective_model(model);
  const Seconds there = times->time(layer.dispatch(demand, Bytes{7392})).makespan;
  return (there + times->time(layer.combine(demand, Bytes{14336})).makespan).value;
}

}  // namespace

// A NIC that is slow keeps its flows, whatever they are. One that is down gives them to its
// neighbours, which of even demand have as much to carry themselves. (A GPU that gets more than
// others then gets it by several NICs, which can be faster than by its own: that law holds for
// even demand only. And neither holds where flows meet on spines by hash: one that is slow
// leaves them to the others, one that goes around escapes the crowd.)
TEST_CASE(
    "a slow NIC makes no collective faster on rails, one that is down none that is even") {
  const Cluster healthy = build_cluster(hopper(2));
  for (const char* model : {"auto", "bound", "stepped", "fluid"}) {
    for (const Pattern pattern :
         {Pattern::per_rank, Pattern::per_domain, Pattern::per_expert}) {
      for (const double fraction : {0.9, 0.5, 0.25, 0.0}) {
        Cluster faulty = build_cluster(hopper(2));
        for (const char* way : {"node1.nic1.up", "node1.nic1.down"}) {
          faulty.set_scale(*faulty.find_link(way), fraction);
        }
        for (const double skew : {0.0, 0.7, 1.2}) {
          if (fraction == 0 && skew > 0) continue;
          INFO(model << " " << to_text(pattern) << " fraction " << fraction << " skew "
                     << skew);
          CHECK(round_trip(faulty, model, pattern, skew) >=
                round_trip(healthy, model, pattern, skew) * (1 - 1e-9));
        }
      }
    }
  }
}
