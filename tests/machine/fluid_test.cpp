#include "sim/machine/fluid.hpp"

#include <catch2/catch.hpp>

#include "sim/machine/bound.hpp"
#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

TEST_CASE("An even all-to-all is where fluid and bound agree") {
  const Cluster cluster = build_cluster(hopper(1));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const MatrixTraffic matrix(ranks, uniform_matrix(8, 1_MB));
  CHECK(FluidModel().time(matrix.traffic()).makespan.value == near(1e-6 + 7e6 / 450e9));
}

TEST_CASE("fluid never ends before bound, and its ledger has the same bytes") {
  const Cluster cluster = build_cluster(hopper(4));
  const RankGroup ranks(cluster, all_gpus(cluster));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const MatrixTraffic matrix(ranks, skewed_matrix(32, 1_MB, 1.0, seed));
    LinkLedger of_bound(cluster.links()), of_fluid(cluster.links());
    const Seconds bound = BoundModel().time(matrix.traffic(), &of_bound).makespan;
    const Seconds fluid = FluidModel(0).time(matrix.traffic(), &of_fluid).makespan;
    const Seconds windowed = FluidModel(0.01).time(matrix.traffic()).makespan;
    CHECK(fluid.value >= bound.value * (1 - 1e-9));
    CHECK(fluid / bound == Approx(1).margin(0.02));
    CHECK(windowed / fluid == Approx(1).margin(0.005));
    for (int i = 0; i < cluster.links(); ++i) {
      CHECK(of_bound.bytes(LinkId{i}).value == Approx(of_fluid.bytes(LinkId{i}).value));
    }
  }
}
