#include "topology/import.hpp"

#include <catch2/catch.hpp>

#include "sim/base/files.hpp"
#include "topology/cluster.hpp"

using namespace moesim;
using namespace moesim::literals;

namespace {

const std::string kData = MOESIM_SOURCE "/tests/topology/data/";

ClusterOptions from(const std::string& file, int nodes = 1) {
  ClusterOptions options;
  options.fabric = "import";
  options.file = kData + file;
  options.nodes = nodes;
  return options;
}

std::string text_of(const std::string& file) { return read_file(kData + file); }

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  return text.replace(text.find(what), what.size(), with);
}

}  // namespace

// 3600 Gbps = 450 GB/s; GPU to NVSwitch and back 2 x 25 ns; over the leaf 2 x 500 ns.
TEST_CASE("A SimAI topology becomes servers, NVLink and cables") {
  const Cluster cluster = build_cluster(from("simai.txt"));
  CHECK(cluster.nodes() == 2);
  CHECK(cluster.gpus() == 4);
  const Path inside = cluster.path(GpuId{0}, GpuId{1});
  CHECK(cluster.bandwidth(inside.links()[0]).value == Approx(450e9));
  CHECK(inside.latency.value == Approx(50e-9));
  const Path across = cluster.path(GpuId{0}, GpuId{3});
  CHECK(across.latency.value == Approx(1e-6));
  CHECK(cluster.bandwidth(across.links()[0]).value == Approx(50e9));
}

// NPU 0 to 2 by the switch of dimension 1: 2 x 2 us; to 4 by the cable of dimension 2: 3 us.
TEST_CASE("An ASTRA-sim network becomes nodes and one cable per NPU and outer dimension") {
  const Cluster cluster = build_cluster(from("astra.yml"));
  CHECK(cluster.gpus() == 8);
  CHECK(cluster.path(GpuId{0}, GpuId{1}).latency.value == Approx(1e-6));
  CHECK(cluster.path(GpuId{0}, GpuId{2}).latency.value == Approx(4e-6));
  const Path pair = cluster.path(GpuId{0}, GpuId{4});
  CHECK(pair.latency.value == Approx(3e-6));
  CHECK(cluster.bandwidth(pair.links()[0]).value == Approx(25e9));
}

// 18 links of 25 GB/s; two NICs of 400 Gbit/s; PCIe 32 GT/s x 16.
TEST_CASE("An NCCL dump says what is inside each node") {
  const Cluster cluster = build_cluster(from("nccl.xml", 3));
  CHECK(cluster.gpus() == 6);
  const NodeSpec& node = cluster.group_of(GpuId{0}).node;
  CHECK(node.nvlink_bandwidth.value == Approx(450e9));
  CHECK(node.nics == 2);
  CHECK(node.nic_bandwidth.value == Approx(50e9));
  CHECK(node.pcie_bandwidth.value == Approx(64e9));
}

TEST_CASE("Foreign and damaged topology files are refused with file, line and fix") {
  const ClusterOptions o;
  const std::string simai = text_of("simai.txt"), xml = text_of("nccl.xml");
  const std::string yaml = text_of("astra.yml");
  CHECK_THROWS_WITH(import_simai(o, replaced(simai, "7 2", "7 3"), "t"),
                    Catch::Contains("t:1") && Catch::Contains("whole servers"));
  CHECK_THROWS_WITH(import_simai(o, replaced(simai, "1 6 400Gbps", "1 6 0Gbps"), "t"),
                    Catch::Contains("t:9") && Catch::Contains("no bandwidth"));
  CHECK_THROWS_WITH(import_simai(o, replaced(simai, "3 6 400Gbps 0.0005ms 0", ""), "t"),
                    Catch::Contains("ends too soon"));
  CHECK_THROWS_WITH(import_simai(o, replaced(simai, "3 6 400Gbps", "3 99 400Gbps"), "t"),
                    Catch::Contains("t:11") && Catch::Contains("99 is no node"));
  CHECK_THROWS_WITH(import_astra(o, replaced(yaml, "[ Switch, Switch", "[ Ring, Switch"), "t"),
                    Catch::Contains("t:2") && Catch::Contains("'Ring'"));
  CHECK_THROWS_WITH(import_astra(o, replaced(yaml, "25.0 ]", "]"), "t"),
                    Catch::Contains("differ in length"));
  CHECK_THROWS_WITH(import_astra(o, "a: [1", "t"), Catch::Contains("no YAML"));
  CHECK_THROWS_WITH(import_astra(o, "just words", "t"), Catch::Contains("no ASTRA-sim"));
  CHECK_THROWS_WITH(import_nccl(o, replaced(xml, "</nic>", ""), "t"),
                    Catch::Contains("damaged XML"));
  CHECK_THROWS_WITH(import_nccl(o, "<svg></svg>", "t"),
                    Catch::Contains("t:1") && Catch::Contains("no NCCL topology"));
  CHECK_THROWS_WITH(import_nccl(o, replaced(xml, "count=\"18\"", "count=\"17\""), "t"),
                    Catch::Contains("t:10") && Catch::Contains("other NVLinks"));
  CHECK_THROWS_WITH(build_cluster([] {
                      ClusterOptions none;
                      none.fabric = "import";
                      return none;
                    }()),
                    Catch::Contains("cluster.file"));
}
