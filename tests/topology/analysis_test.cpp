#include "topology/analysis.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "topology/targets.hpp"

using namespace moesim;
using namespace moesim::literals;

namespace {

ClusterOptions hopper(int nodes) {
  ClusterOptions options;
  options.node.nvlink_bandwidth = 450_GBps;
  options.node.nic_bandwidth = 50_GBps;
  options.nodes = nodes;
  return options;
}

}  // namespace

// Half of the nodes have 8 NICs of 50 GB/s each.
TEST_CASE(
    "The bisection of a full rail fabric is half of all NICs, of a 2:1 tree half of that") {
  const NetworkSummary rails = analyse(build_cluster(hopper(4)));
  CHECK(rails.bisection.value == Approx(2 * 8 * 50e9));
  CHECK(rails.oversubscription == Approx(1));
  ClusterOptions tree = hopper(4);
  tree.fabric = "fat_tree";
  tree.nodes_per_leaf = 2;
  tree.oversubscription = 2;
  tree.ecmp = "adaptive";
  const NetworkSummary narrow = analyse(build_cluster(tree));
  CHECK(narrow.bisection.value == Approx(8 * 50e9));
  CHECK(narrow.oversubscription == Approx(2));
}

// Each GPU sends 1/(n-1) of its bytes to each other one; on 1 node all cross its NVLink.
TEST_CASE("An even all-to-all on one node runs at NVLink speed per GPU") {
  CHECK(analyse(build_cluster(hopper(1))).all_to_all.value == Approx(450e9));
}

TEST_CASE("A tree's only switch is a single point of failure, a rail's leaf is not") {
  ClusterOptions tree = hopper(2);
  tree.fabric = "fat_tree";
  const auto points = single_points_of_failure(build_cluster(tree));
  CHECK(points == std::vector<std::string>{"leaf0"});
  CHECK(single_points_of_failure(build_cluster(hopper(2))).empty());
}

TEST_CASE("Faults name nodes, GPUs, NICs, switches and links") {
  const Cluster cluster = build_cluster(hopper(2));
  CHECK(links_named(cluster, "node1.nic3").size() == 2);
  CHECK(links_named(cluster, "node1.gpu3") == links_named(cluster, "gpu11"));
  CHECK(links_named(cluster, "node1.nic3.up").size() == 1);
  CHECK(links_named(cluster, "leaf0").size() >= 4);
  CHECK(gpus_named(cluster, "node1").size() == 8);
  CHECK(gpus_named(cluster, "gpu9") == std::vector<GpuId>{GpuId{9}});
  CHECK_THROWS_WITH(links_named(cluster, "node1.nicc3"), Catch::Contains("node1.nic3"));
}
