#include "topology/cluster.hpp"

#include <catch2/catch.hpp>

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

std::vector<std::string> names(const Cluster& cluster, GpuId src, GpuId dst) {
  std::vector<std::string> out;
  for (const LinkId id : cluster.path(src, dst).links()) out.push_back(cluster.link(id).name);
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("Inside a node data crosses the NVSwitch in 1 us") {
  const Cluster cluster = build_cluster(hopper(2));
  CHECK(names(cluster, GpuId{1}, GpuId{3}) ==
        Names{"node0.gpu1.nvlink.up", "node0.gpu3.nvlink.down"});
  CHECK(cluster.path(GpuId{1}, GpuId{3}).latency.value == Approx(1e-6));
  CHECK(cluster.path(GpuId{1}, GpuId{1}).links().empty());
}

TEST_CASE("Between nodes data leaves by the receiver's rail") {
  const Cluster cluster = build_cluster(hopper(2));
  CHECK(names(cluster, GpuId{2}, GpuId{10}) == Names{"node0.nic2.up", "node1.nic2.down"});
  CHECK(names(cluster, GpuId{1}, GpuId{10}) == Names{"node0.gpu1.nvlink.up",
                                                     "node0.gpu2.nvlink.down", "node0.nic2.up",
                                                     "node1.nic2.down"});
}

TEST_CASE("Without forwarding data crosses rails through a spine") {
  ClusterOptions options = hopper(2);
  options.nvlink_forwarding = false;
  options.spines = 1;
  const Cluster cluster = build_cluster(options);
  CHECK(names(cluster, GpuId{1}, GpuId{10}) ==
        Names{"node0.nic1.up", "leaf1.spine0.up", "leaf2.spine0.down", "node1.nic2.down"});
}

TEST_CASE("A rail that is down is gone around") {
  Cluster cluster = build_cluster(hopper(2));
  cluster.set_scale(*cluster.find_link("node0.nic2.up"), 0);
  const Names around = names(cluster, GpuId{2}, GpuId{10});
  CHECK(around.size() > 2);
  CHECK(std::find(around.begin(), around.end(), "node0.nic2.up") == around.end());
}

TEST_CASE("GPUs that are cut off are named") {
  Cluster cluster = build_cluster(hopper(2));
  for (int i = 0; i < 8; ++i) {
    cluster.set_scale(*cluster.find_link("node1.nic" + std::to_string(i) + ".down"), 0);
  }
  CHECK_THROWS_WITH(cluster.path(GpuId{0}, GpuId{8}),
                    Catch::Contains("node0.gpu0 cannot reach node1.gpu0"));
}
