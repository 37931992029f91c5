// All network models against simgrid_flows on the same skewed traffic.
#include <catch2/catch.hpp>
#include <cstdio>

#include "sim/machine/fluid.hpp"
#include "sim/simgrid/collective.hpp"
#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

struct Network {
  const char* name;
  ClusterOptions options;
};

std::vector<Network> networks(int nodes) {
  ClusterOptions rails = hopper(nodes);
  ClusterOptions ecmp = hopper(nodes);  // cross-rail traffic over hashed spines
  ecmp.nvlink_forwarding = false;
  ClusterOptions narrow = ecmp;  // and a spine with half the bandwidth
  narrow.oversubscription = 2;
  return {{"rails", rails}, {"ECMP spine", ecmp}, {"cross-rail spine", narrow}};
}

std::unique_ptr<CollectiveModel> model(std::string_view name) {
  return find_entry(all_collective_models(), name, "network model").make();
}

double worst_finish(const Outcome& a, std::span<const Seconds> b) {
  double worst = 0;
  for (std::size_t r = 0; r < b.size(); ++r) {
    worst = std::max(worst, std::abs(a.finish[r] / b[r] - 1));
  }
  return worst;
}

}  // namespace

TEST_CASE("fluid, bound and auto agree with SimGrid flow by flow") {
  std::printf("  %-18s %5s %6s | fluid: makespan, worst GPU | bound | auto (errors in %%)\n",
              "network", "GPUs", "skew");
  for (const int nodes : {1, 2, 4}) {
    for (const Network& network : networks(nodes)) {
      const Cluster cluster = build_cluster(network.options);
      const RankGroup ranks(cluster, all_gpus(cluster));
      const auto seed = static_cast<std::uint64_t>(nodes);
      const int n = ranks.ranks();
      const std::pair<const char*, std::vector<double>> matrices[] = {
          {"even", uniform_matrix(n, 200_KB)},
          {"mild", skewed_matrix(n, 200_KB, 0.3, seed)},
          {"hot", skewed_matrix(n, 200_KB, 1.0, seed)},
          {"pairs", uneven_matrix(n, 200_KB, 2.0, seed)}};
      for (const auto& [skew, bytes] : matrices) {
        const MatrixTraffic matrix(ranks, bytes);
        const Traffic& traffic = matrix.traffic();
        const auto reference_model = model("simgrid_flows");
        const Outcome reference = reference_model->time(traffic);
        const auto fluid_model = model("fluid");
        const Outcome fluid = fluid_model->time(traffic);
        const auto error = [&](const Outcome& o) {
          return o.makespan / reference.makespan - 1;
        };
        const Outcome bound = model("bound")->time(traffic);
        const Outcome chosen = model("auto")->time(traffic);
        const double finish = worst_finish(fluid, reference.finish);
        std::printf("  %-18s %5d %6s | %8.3f %8.3f | %7.2f | %7.2f\n", network.name, n, skew,
                    100 * error(fluid), 100 * finish, 100 * error(bound), 100 * error(chosen));
        CHECK(std::abs(error(fluid)) <= 0.005);
        CHECK(finish <= 0.01);
        CHECK(std::abs(error(chosen)) <= 0.02);
        if (std::string_view(network.name) == "rails") CHECK(std::abs(error(bound)) <= 0.02);
        FluidModel exact(0);
        CHECK(exact.time(traffic).makespan.value ==
              Approx(reference.makespan.value).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("auto agrees with SimGrid flow by flow when NICs and NVLinks are slow or down") {
  std::printf("  %-18s %5s %6s | auto (error in %%)\n", "link", "GPUs", "scale");
  for (const int nodes : {2, 4}) {
    for (const char* name : {"node0.nic3.up", "node1.nic5.down", "leaf1.spine0.up"}) {
      for (const double scale : {0.0, 0.25, 0.6}) {
        Cluster cluster = build_cluster(hopper(nodes));
        const RankGroup ranks(cluster, all_gpus(cluster));
        cluster.set_scale(*cluster.find_link(name), scale);
        for (const double cv : {0.0, 0.3, 1.0}) {
          const MatrixTraffic matrix(ranks, skewed_matrix(ranks.ranks(), 200_KB, cv, 5));
          const Traffic& traffic = matrix.traffic();
          const Seconds reference = model("simgrid_flows")->time(traffic).makespan;
          const double error = model("auto")->time(traffic).makespan / reference - 1;
          std::printf("  %-18s %5d %6.2f | %7.2f\n", name, ranks.ranks(), scale, 100 * error);
          CHECK(std::abs(error) <= 0.02);
        }
      }
    }
  }
}

TEST_CASE("One comm per link ends when bound says") {
  const Cluster cluster = build_cluster(hopper(2));
  const RankGroup ranks(cluster, all_gpus(cluster));
  const MatrixTraffic matrix(ranks, skewed_matrix(16, 1_MB, 0.5, 3));
  CHECK(model("simgrid_links")->time(matrix.traffic()).makespan.value ==
        near(model("bound")->time(matrix.traffic()).makespan.value));
}
