// The model that chooses, against fluid, over fabrics, transports, sizes and skews.
#include <catch2/catch.hpp>
#include <cstdio>

#include "sim/machine/collective.hpp"
#include "tests/machine/demands.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

struct Network {
  const char* name;
  ClusterOptions options;
};

std::vector<Network> networks() {
  ClusterOptions rails = hopper(8);
  ClusterOptions spines = rails;
  spines.nvlink_forwarding = false;
  spines.oversubscription = 2;
  ClusterOptions domains = rails;  // 16 NICs behind each NVLink: it can hold them up
  domains.fabric = "nvl_domain";
  domains.nodes_per_domain = 2;
  ClusterOptions tree = rails;
  tree.fabric = "fat_tree";
  ClusterOptions groups = rails;
  groups.fabric = "dragonfly";
  groups.routers_per_group = 2;
  return {{"rails", rails},
          {"spines 2:1", spines},
          {"NVLink domains", domains},
          {"fat tree", tree},
          {"dragonfly", groups}};
}

}  // namespace

TEST_CASE(
    "auto is within 2 % of fluid on every fabric, from latency alone to bandwidth alone") {
  const auto chosen = make_collective_model("auto");
  const auto fluid = make_collective_model("fluid");
  for (const auto& [name, options] : networks()) {
    const Cluster cluster = build_cluster(options);
    const RankGroup ranks(cluster, all_gpus(cluster));
    for (const Pattern pattern :
         {Pattern::per_rank, Pattern::per_domain, Pattern::per_expert}) {
      LayerExchange layer(ranks, pattern, TransportFit{}, 4);
      double sum = 0, worst = 0;
      int cases = 0;
      for (const double skew : {0.0, 0.7, 1.2}) {
        for (const double tokens : {1.0, 16.0, 256.0}) {
          const DispatchDemand demand = skewed_demand(ranks, 8, tokens, skew, 3);
          for (const bool back : {false, true}) {
            const Traffic& traffic = back ? layer.combine(demand, Bytes{14336})
                                          : layer.dispatch(demand, Bytes{7392});
            const double error =
                chosen->time(traffic).makespan / fluid->time(traffic).makespan - 1;
            INFO(name << " " << to_text(pattern) << " skew " << skew << " tokens " << tokens);
            CHECK(std::abs(error) <= 0.02);
            worst = std::max(worst, std::abs(error));
            sum += std::abs(error);
            ++cases;
          }
        }
      }
      std::printf("  %-15s %-12s auto against fluid: mean %.2f %%, worst %.2f %%\n", name,
                  to_text(pattern).data(), 100 * sum / cases, 100 * worst);
    }
  }
}
