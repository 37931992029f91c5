#include "topology/fabric.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "topology/cluster.hpp"

using namespace moesim;
using namespace moesim::literals;

namespace {

ClusterOptions on(const std::string& fabric, int nodes) {
  ClusterOptions options;
  options.node.nvlink_bandwidth = 450_GBps;
  options.node.nic_bandwidth = 50_GBps;
  options.nodes = nodes;
  options.fabric = fabric;
  if (fabric == "nvl_domain") options.nodes_per_domain = 2;
  if (fabric == "explicit") {
    for (int n = 0; n < nodes; ++n) {
      for (int i = 0; i < 8; ++i) {
        options.links.push_back({"", "node" + std::to_string(n) + ".nic" + std::to_string(i),
                                 "switch", 50_GBps, 2_us});
      }
    }
  }
  return options;
}

// A path is a walk: each link begins where the one before ended, but for unlimited ones.
void check_walk(const Cluster& cluster, GpuId src, GpuId dst) {
  const Path path = cluster.path(src, dst);
  REQUIRE(!path.links().empty());
  Seconds latency{0};
  for (const LinkId id : path.links()) latency += cluster.link(id).latency;
  CHECK(path.latency.value == Approx(latency.value).epsilon(1e-9));
  for (std::size_t i = 1; i < path.links().size(); ++i) {
    const Link& a = cluster.link(path.links()[i - 1]);
    const Link& b = cluster.link(path.links()[i]);
    const bool joined = a.to == b.from;
    bool by_unlimited = false;
    for (const Link& l : cluster.graph().links) {
      by_unlimited |= l.from == a.to && l.to == b.from && !std::isfinite(l.bandwidth.value);
    }
    INFO(a.name << " then " << b.name);
    CHECK((joined || by_unlimited));
  }
}

}  // namespace

TEST_CASE("On every fabric every path is a walk from link to link") {
  for (const auto& fabric : fabrics()) {
    ClusterOptions options = on(std::string(fabric.name), fabric.name == "single_node" ? 1 : 8);
    const Cluster cluster = build_cluster(options);
    INFO(fabric.name);
    for (int s = 0; s < cluster.gpus(); s += 3) {
      for (int d = 0; d < cluster.gpus(); ++d) {
        if (s != d) check_walk(cluster, GpuId{s}, GpuId{d});
      }
    }
  }
}

TEST_CASE("On every fabric each GPU still reaches every other when one NIC cable is down") {
  for (const auto& fabric : fabrics()) {
    if (fabric.name == "single_node") continue;
    Cluster cluster = build_cluster(on(std::string(fabric.name), 4));
    cluster.set_scale(cluster.nics()[3].up, 0);
    INFO(fabric.name);
    for (int d = 0; d < cluster.gpus(); ++d) {
      const Path path = cluster.path(GpuId{3}, GpuId{d});
      for (const LinkId id : path.links()) CHECK(cluster.scale(id) > 0);
    }
  }
}

TEST_CASE("A k-ary fat tree uses leaf, spine and core, and only as far up as it must") {
  ClusterOptions options = on("fat_tree", 4);  // 32 NICs, k = 8: 4 per edge, 16 per pod
  options.k = 8;
  const Cluster cluster = build_cluster(options);
  CHECK(cluster.path(GpuId{0}, GpuId{8}).links().size() == 4);   // other edge, same pod
  CHECK(cluster.path(GpuId{0}, GpuId{16}).links().size() == 6);  // other pod
}

TEST_CASE("Nodes of one NVLink domain need no NIC") {
  ClusterOptions options = on("nvl_domain", 4);
  const Cluster cluster = build_cluster(options);
  CHECK(cluster.domains() == 2);
  CHECK(cluster.path(GpuId{0}, GpuId{15}).links().size() == 2);
  CHECK(cluster.path(GpuId{0}, GpuId{16}).links().size() == 2);  // same rail, two NIC cables
}

TEST_CASE("A dragonfly path has at most two local hops and one global") {
  ClusterOptions options = on("dragonfly", 16);
  const Cluster cluster = build_cluster(options);
  for (int d = 8; d < cluster.gpus(); d += 8) {
    int local = 0, global = 0;
    for (const LinkId id : cluster.path(GpuId{0}, GpuId{d}).links()) {
      local += cluster.link(id).kind == LinkKind::local;
      global += cluster.link(id).kind == LinkKind::global;
    }
    CHECK(local <= 2);
    CHECK(global == (d / 8 >= 4 ? 1 : 0));
  }
}

TEST_CASE("GPUs of several kinds live in one cluster") {
  ClusterOptions options = on("rail_optimized", 0);
  NodeGroupOptions h100{"h100", {}, options.node, 2};
  h100.gpu.name = "h100-sxm";
  NodeGroupOptions l40s{"l40s", {}, options.node, 3};
  l40s.gpu.name = "l40s";
  l40s.node.gpus = 4;
  l40s.node.nvlink_bandwidth = 0_GBps;
  l40s.node.pcie_bandwidth = 32_GBps;
  l40s.node.nics = 2;
  options.groups = {h100, l40s};
  const Cluster cluster = build_cluster(options);
  CHECK(cluster.gpus() == 16 + 12);
  CHECK(cluster.gpu(GpuId{15}).name == "h100-sxm");
  CHECK(cluster.gpu(GpuId{16}).name == "l40s");
  CHECK(cluster.path(GpuId{16}, GpuId{17}).latency.value == Approx(1e-6));
  for (int d = 0; d < cluster.gpus(); ++d) {
    if (d != 20) check_walk(cluster, GpuId{20}, GpuId{d});
  }
}

TEST_CASE("Wrong clusters are refused with the place and the fix") {
  ClusterOptions options = on("fat_tree", 4);
  options.k = 4;
  CHECK_THROWS_WITH(build_cluster(options), Catch::Contains("k^3 / 4 >= 32"));
  options = on("nvl_domain", 4);
  options.nodes_per_domain = 3;
  CHECK_THROWS_WITH(build_cluster(options), Catch::Contains("does not divide"));
  options = on("single_node", 2);
  CHECK_THROWS_WITH(build_cluster(options), Catch::Contains("there are 2"));
  options = on("moebius", 2);
  CHECK_THROWS_WITH(build_cluster(options), Catch::Contains("rail_optimized"));
  options = on("rail_optimized", 2);
  options.node.nic_bandwidth = 0_GBps;
  options.node.gpus = 6;
  CHECK_THROWS_WITH(build_cluster(options), Catch::Contains("nic_bandwidth is zero") &&
                                                Catch::Contains("6 GPUs and 8 NICs"));
  options = on("explicit", 2);
  options.links[0].bandwidth = 0_GBps;
  options.links[1].to = "node9.nic0";
  options.links[3] = options.links[2];
  CHECK_THROWS_WITH(build_cluster(options), Catch::Contains("has no bandwidth") &&
                                                Catch::Contains("node9.nic0") &&
                                                Catch::Contains("two cables"));
  options = on("explicit", 2);
  options.links.clear();
  CHECK_THROWS_WITH(build_cluster(options),
                    Catch::Contains("node0.gpu0 cannot reach node1.gpu0"));
}
