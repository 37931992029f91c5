#include "sim/machine/bound.hpp"

#include <catch2/catch.hpp>

#include "sim/machine/fluid.hpp"
#include "tests/machine/demands.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

Seconds bound_of(const Traffic& traffic) { return BoundModel().time(traffic).makespan; }

}  // namespace

TEST_CASE("An all-to-all of 1 MB between 8 GPUs takes 7 MB / 450 GB/s + 1 us") {
  const Cluster cluster = build_cluster(hopper(1));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const MatrixTraffic matrix(ranks, uniform_matrix(8, 1_MB));
  CHECK(bound_of(matrix.traffic()).value == Approx(16.555555555555557e-6).epsilon(1e-9));
}

TEST_CASE("Sums of rows and columns give the loads that walking every path gives") {
  for (const bool forwarding : {true, false}) {
    ClusterOptions options = hopper(4);
    options.nvlink_forwarding = forwarding;
    if (!forwarding) options.ecmp = "adaptive";
    const Cluster cluster = build_cluster(options);
    const RankGroup ranks(cluster, all_gpus(cluster));
    REQUIRE(ranks.access_bound(false));
    const MatrixTraffic matrix(ranks, skewed_matrix(32, 1_MB, 0.8, 7));
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      Traffic traffic = matrix.traffic();
      traffic.direction = direction;
      LinkLedger by_sums(cluster.links());
      BoundModel().time(traffic, &by_sums);
      std::vector<double> walked(static_cast<std::size_t>(cluster.links()), 0.0);
      for (const Flow& flow : flows_of(traffic)) {
        for (const LinkId id : cluster.path(flow.src, flow.dst).links()) {
          walked[id.index()] += flow.bytes.value;
        }
      }
      for (std::size_t i = 0; i < walked.size(); ++i) {
        const Link& link = cluster.link(LinkId{i});
        if (link.kind == LinkKind::leaf) continue;
        INFO(link.name);
        CHECK(by_sums.bytes(LinkId{i}).value == Approx(walked[i]).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("Sums corrected for detours load every link as the flows one by one do") {
  Cluster cluster = build_cluster(hopper(4));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const DispatchDemand demand = skewed_demand(ranks, 8, 128, 0.7, 1);
  for (const char* down : {"node1.nic2.up", "node3.nic7.down"}) {
    cluster.set_scale(*cluster.find_link(down), 0);
    for (const Pattern pattern :
         {Pattern::per_rank, Pattern::per_domain, Pattern::per_expert, Pattern::padded}) {
      LayerExchange layer(ranks, pattern, find_transport_fit(to_text(pattern), "h100-sxm"), 4);
      for (const bool back : {false, true}) {
        const Traffic& traffic =
            back ? layer.combine(demand, 14336_B) : layer.dispatch(demand, 7392_B);
        LinkLedger sums(cluster.links()), flows(cluster.links());
        BoundModel().time(traffic, &sums);
        FluidModel(0.05).time(traffic, &flows);
        INFO(down << " " << to_text(pattern) << " " << back);
        for (int i = 0; i < cluster.links(); ++i) {
          CHECK(sums.bytes(LinkId{i}).value ==
                Approx(flows.bytes(LinkId{i}).value).epsilon(1e-9).margin(1));
        }
      }
    }
  }
}
