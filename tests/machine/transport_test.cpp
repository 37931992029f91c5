#include "sim/machine/transport.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <cmath>

#include "sim/machine/bound.hpp"
#include "sim/machine/fluid.hpp"
#include "tests/machine/demands.hpp"
#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

constexpr int kTopK = 8;
constexpr double kRow = 7168;

double sent(const Traffic& traffic) {
  double bytes = 0;
  for (const Flow& flow : flows_of(traffic)) bytes += flow.bytes.value;
  return bytes;
}

}  // namespace

// low_latency: tokens x k x row, less what stays on the GPU.
// pairwise: tokens x (ranks reached) x row, less the own. node_dedup: tokens x (other domains
// reached) x row over the network, and the pairs once more inside the domains.
TEST_CASE("Bytes sent are tokens x k x row, less what a transport sends once") {
  for (const int nodes : {1, 2, 4}) {
    const Cluster cluster = build_cluster(hopper(nodes));
    const RankGroup ranks(cluster, all_gpus(cluster));
    const DispatchDemand demand = skewed_demand(ranks, kTopK, 128, 0.8, 5);
    for (const auto& transport : transports()) {
      LayerExchange layer(ranks, transport.make, {});
      for (const bool forward : {true, false}) {
        const Traffic& traffic =
            forward ? layer.dispatch(demand, Bytes{kRow}) : layer.combine(demand, Bytes{kRow});
        const double expected = expected_bytes(ranks, demand, transport.make, kRow);
        INFO(transport.name << " on " << nodes << " nodes");
        CHECK(sent(traffic) == Approx(expected).epsilon(1e-9));
        CHECK(expected > 0);
        LinkLedger ledger(cluster.links());
        CHECK(BoundModel().time(traffic, &ledger).makespan.value > 0);
        double by_ledger = 0;
        std::vector<double> walked(static_cast<std::size_t>(cluster.links()));
        for (const Flow& flow : flows_of(traffic)) {
          for (const LinkId id : cluster.path(flow.src, flow.dst).links()) {
            walked[id.index()] += flow.bytes.value;
          }
        }
        for (int i = 0; i < cluster.links(); ++i) {
          by_ledger +=
              std::abs(ledger.bytes(LinkId{i}).value - walked[static_cast<std::size_t>(i)]);
        }
        CHECK(by_ledger <= 1e-9 * expected);
      }
    }
  }
}

TEST_CASE("An all-to-all takes longer with more bytes and with more skew") {
  const Cluster cluster = build_cluster(hopper(4));
  const RankGroup ranks(cluster, all_gpus(cluster));
  for (const auto& transport : transports()) {
    LayerExchange layer(ranks, transport.make, find_transport_fit(transport.name, "h100-sxm"));
    INFO(transport.name);
    double before = 0;
    for (const double tokens : {1.0, 16.0, 64.0, 128.0, 512.0, 4096.0}) {
      const auto demand = skewed_demand(ranks, kTopK, tokens, 0, 1);
      const double now = BoundModel().time(layer.dispatch(demand, Bytes{kRow})).makespan.value;
      CHECK(now > before);
      before = now;
    }
    before = 0;
    for (const double skew : {0.0, 0.5, 1.0}) {
      const auto demand = skewed_demand(ranks, kTopK, 4096, skew, 1);
      const double now = BoundModel().time(layer.dispatch(demand, Bytes{kRow})).makespan.value;
      CHECK(now > before);
      before = now;
    }
  }
}

// With the tokens per GPU fixed, a larger share of the experts lies on other nodes.
TEST_CASE("The time of an even all-to-all never falls as nodes are added, from 1 to 128") {
  for (const auto& transport : transports()) {
    if (transport.make == Pattern::padded) continue;  // its padding falls with the pair size
    double before = 0;
    for (int nodes = 1; nodes <= 128; nodes *= 2) {
      const Cluster cluster = build_cluster(hopper(nodes));
      const RankGroup ranks(cluster, all_gpus(cluster));
      LayerExchange layer(ranks, transport.make,
                          find_transport_fit(transport.name, "h100-sxm"));
      const auto demand = skewed_demand(ranks, kTopK, 128, 0, 1);
      const double now = BoundModel().time(layer.dispatch(demand, Bytes{kRow})).makespan.value;
      INFO(transport.name << " on " << nodes << " nodes");
      CHECK(now >= before * (1 - 1e-9));
      before = now;
    }
  }
}

TEST_CASE("Whatever the tokens and the skew, fluid is never faster than bound") {
  const Cluster cluster = build_cluster(hopper(2));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const bool holds = rc::check("bound is a lower bound", [&] {
    const auto& transport = transports()[*rc::gen::inRange<std::size_t>(0, 4)];
    const double skew = *rc::gen::inRange(0, 20) / 10.0;
    const double tokens = *rc::gen::inRange(1, 2000);
    const auto demand =
        skewed_demand(ranks, kTopK, tokens, skew, *rc::gen::inRange<std::uint64_t>(0, 1000));
    LayerExchange layer(ranks, transport.make, {});
    const Traffic traffic = layer.dispatch(demand, Bytes{kRow});
    const Seconds bound = BoundModel().time(traffic).makespan;
    const Seconds fluid = FluidModel(0).time(traffic).makespan;
    RC_ASSERT(fluid.value >= bound.value * (1 - 1e-9));
  });
  CHECK(holds);
}

TEST_CASE("A demand for other ranks than the group's is our mistake") {
  const Cluster cluster = build_cluster(hopper(2));
  const RankGroup ranks(cluster, all_gpus(cluster));
  auto demand = skewed_demand(ranks, kTopK, 128, 0, 1);
  demand.ranks = 8;
  LayerExchange layer(ranks, Pattern::per_rank, {});
  CHECK_THROWS_AS(layer.dispatch(demand, Bytes{kRow}), BrokenLaw);
}

// The curve's own points come back: overhead + bytes over the efficiency that it implies.
TEST_CASE("The nccl transport takes as long as the measured all-to-all") {
  const Cluster cluster = build_cluster(hopper(1));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const TransportFit fit = find_transport_fit("nccl", "h100-sxm");
  LayerExchange layer(ranks, Pattern::padded, fit);
  const CollectiveCurve* curve = curve_for(fit.curves, "nccl", "alltoall", 8);
  REQUIRE(curve != nullptr);
  for (const double tokens : {64.0, 1024.0, 16384.0}) {
    const auto demand = skewed_demand(ranks, kTopK, tokens, 0, 1);
    const Traffic& traffic = layer.dispatch(demand, Bytes{kRow});
    const Seconds measured = read_curve(*curve, traffic.padded_pair * 8);
    CHECK(BoundModel().time(traffic).makespan / measured == Approx(1).epsilon(0.01));
  }
}

TEST_CASE("Every transport has a fit for every GPU that is shipped, measured or near") {
  for (const auto& transport : transports()) {
    for (const char* gpu : {"h100-sxm", "h200-sxm", "h800-sxm", "h20-sxm", "b200-sxm",
                            "b300-sxm", "gb200", "a100-sxm", "unheard-of"}) {
      const TransportFit fit = find_transport_fit(transport.name, gpu);
      INFO(transport.name << " on " << gpu);
      CHECK((overhead_of(fit.dispatch, 8, 1, 4) > 5_us || !fit.curves.empty() ||
             fit.provenance == Provenance::assumed));
    }
  }
  CHECK(find_transport_fit("low_latency", "h100-sxm").provenance == Provenance::measured);
  CHECK(find_transport_fit("low_latency", "h20-sxm").provenance == Provenance::extrapolated);
}

TEST_CASE("A demand that loses or invents bytes is a broken law in every transport") {
  const Cluster cluster = build_cluster(hopper(2));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const DispatchDemand right = skewed_demand(ranks, kTopK, 128, 0.8, 5);
  for (const auto& transport : transports()) {
    INFO(transport.name);
    LayerExchange layer(ranks, transport.make, {});
    CHECK_NOTHROW(layer.dispatch(right, Bytes{kRow}));
    DispatchDemand wrong = right;
    wrong.assignments.usual[3] = 0;
    CHECK_THROWS_AS(layer.dispatch(wrong, Bytes{kRow}), BrokenLaw);
    wrong = right;
    wrong.reach_rank.usual[3] = wrong.assignments.usual[3] + 0.1;
    CHECK_THROWS_AS(layer.dispatch(wrong, Bytes{kRow}), BrokenLaw);
    wrong = right;
    std::ranges::fill(wrong.reach_node.usual, 0.0);
    for (ShareRows::Cell& cell : wrong.reach_node.cells) cell.value = 0;
    CHECK_THROWS_AS(layer.combine(wrong, Bytes{kRow}), BrokenLaw);
  }
}
