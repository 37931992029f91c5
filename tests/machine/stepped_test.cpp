#include "sim/machine/stepped.hpp"

#include <catch2/catch.hpp>

#include "sim/machine/bound.hpp"
#include "sim/machine/fluid.hpp"
#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

// Cross-rail traffic through hashed spines with a share of the NICs' bandwidth.
ClusterOptions through_spines(int nodes, double oversubscription) {
  ClusterOptions options = hopper(nodes);
  options.nvlink_forwarding = false;
  options.oversubscription = oversubscription;
  return options;
}

}  // namespace

TEST_CASE("An even all-to-all takes the same in steps as at once") {
  const Cluster cluster = build_cluster(hopper(1));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const MatrixTraffic matrix(ranks, uniform_matrix(8, 1_MB));
  CHECK(SteppedModel().time(matrix.traffic()).makespan.value == near(1e-6 + 7e6 / 450e9));
}

TEST_CASE("In steps a skewed all-to-all through spines ends within 2 % of fluid") {
  // From latency alone to bandwidth alone; 1 KB between 64 GPUs is half of each.
  for (const double oversubscription : {1.0, 2.0, 4.0}) {
    const Cluster cluster = build_cluster(through_spines(8, oversubscription));
    const RankGroup ranks(cluster, all_gpus(cluster));
    for (const double cv : {0.1, 0.3, 1.0}) {
      for (const Bytes mean : {200_B, 1_KB, 5_KB, 200_KB}) {
        for (const bool pairs : {false, true}) {
          const MatrixTraffic matrix(
              ranks, pairs ? uneven_matrix(64, mean, cv, 2) : skewed_matrix(64, mean, cv, 2));
          const Seconds fluid = FluidModel().time(matrix.traffic()).makespan;
          const Seconds stepped = SteppedModel().time(matrix.traffic()).makespan;
          INFO(oversubscription << " " << cv << " " << mean.value << " " << pairs);
          CHECK(stepped / fluid == Approx(1).margin(0.02));
        }
      }
    }
  }
}

TEST_CASE("In steps nothing ends before its bound, and the ledger has the same bytes") {
  const Cluster cluster = build_cluster(through_spines(4, 2));
  const RankGroup ranks(cluster, all_gpus(cluster));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const MatrixTraffic matrix(ranks, uneven_matrix(32, 1_MB, 1.5, seed));
    LinkLedger of_bound(cluster.links()), of_steps(cluster.links());
    const Seconds bound = BoundModel().time(matrix.traffic(), &of_bound).makespan;
    CHECK(SteppedModel().time(matrix.traffic(), &of_steps).makespan.value >=
          bound.value * (1 - 1e-9));
    for (int i = 0; i < cluster.links(); ++i) {
      CHECK(of_bound.bytes(LinkId{i}).value == Approx(of_steps.bytes(LinkId{i}).value));
    }
  }
}

TEST_CASE("Paths are walked anew when a link goes down") {
  Cluster cluster = build_cluster(through_spines(2, 1));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const MatrixTraffic matrix(ranks, uniform_matrix(16, 1_MB));
  SteppedModel model;
  const Seconds whole = model.time(matrix.traffic()).makespan;
  cluster.set_scale(*cluster.find_link("node0.nic3.up"), 0);
  LinkLedger ledger(cluster.links());
  model.time(matrix.traffic(), &ledger);
  CHECK(ledger.bytes(*cluster.find_link("node0.nic3.up")).value == 0);
  cluster.set_scale(*cluster.find_link("node0.nic3.up"), 1);
  CHECK(model.time(matrix.traffic()).makespan == whole);
}
