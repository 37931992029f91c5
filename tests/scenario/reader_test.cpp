#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/scenario/support.hpp"

using namespace moesim;
using namespace moesim::tests;

TEST_CASE("a file's key lies over its preset's, and --set over both") {
  const std::string text = kStart + "[placement]\nstrategy = \"eplb\"\n";
  CHECK(read_well(text).model.top_k == 8);
  const Scenario s = read_well(text, {"placement.strategy=linear", "router.skew=0",
                                      "model.top_k=4", "traffic.arrivals.rate=5 req/min",
                                      "serving.chunked_prefill=false", "requests=1e3"});
  CHECK(s.placement.strategy == "linear");
  CHECK(s.router.skew == "0");
  CHECK(s.model.top_k == 4);
  CHECK(s.traffic.arrivals.rate.value == 5.0 / 60);
  CHECK_FALSE(s.serving.chunked_prefill);
  CHECK(s.requests == 1000);
  CHECK(s.cluster.gpu.name == "h200-sxm");
}

TEST_CASE("--set takes inline tables, and elements of lists by their number") {
  const std::string text = kStart + "[[traffic.tenant]]\nname = \"a\"\nshare = 1\n";
  const Scenario s =
      read_well(text, {"placement.rebalance={every_steps = 7, migration = \"bulk\"}",
                       "traffic.tenant[0].share=3", "traffic.tenant.1.name=b",
                       "fault[0].target=node1", "fault[0].at=2 s", "fault[0].speed=0.5"});
  CHECK(s.placement.rebalance.every_steps == 7);
  CHECK(s.placement.rebalance.migration == "bulk");
  REQUIRE(s.traffic.tenants.size() == 2);
  CHECK(s.traffic.tenants[0].share == 3);
  CHECK(s.traffic.tenants[1].name == "b");
  REQUIRE(s.faults.size() == 1);
  CHECK(s.faults[0].at.value == 2);
}

TEST_CASE("a key that takes several kinds takes each: a name, a number, a path") {
  CHECK(read_well(kStart + "[router]\nskew = \"mixtral\"\n").router.skew == "mixtral");
  CHECK(read_well(kStart + "[router]\nskew = 0.67\n").router.skew == "0.67");
  const std::string path =
      MOESIM_SOURCE "/scenarios/quickstart.toml";  // any file that is there
  CHECK(read_well(kStart + "[router]\nskew = \"" + path + "\"\n").router.skew == path);
  CHECK(faults_of(kStart + "[router]\nskew = \"../t.csv\"\n").size() == 1);
  CHECK(faults_of(kStart + "[router]\nskew = true\n").size() == 1);
}

TEST_CASE("a bare number is in base units, a text has its unit") {
  CHECK(read_well(kStart + "[slo]\nttft_p99 = 2\n").slo.ttft_p99.value == 2);
  CHECK(read_well(kStart + "[slo]\nttft_p99 = \"50 ms\"\n").slo.ttft_p99.value == 0.05);
  CHECK(read_well(kStart + "[cluster.node]\nnic_bandwidth = \"200 Gbps\"\n")
            .cluster.node.nic_bandwidth.value == 25e9);
}

TEST_CASE("a preset may be a file of one's own, beside the scenario") {
  const auto folder = std::filesystem::temp_directory_path() / "moesim_reader_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "tiny.toml")
      << "name = \"tiny\"\nlayers = 2\nhidden = 64\nvocab = 100\ndense_intermediate = 8\n"
         "[attention]\nheads = 2\nkv_heads = 2\nhead_dim = 32\n";
  std::ofstream(folder / "a.toml")
      << "[model]\npreset = \"tiny.toml\"\n[cluster]\npreset = \"hgx-h200\"\n";
  const Scenario s = read_file_well(folder / "a.toml", {"serving.tp=2"});
  CHECK(s.model.name == "tiny");
  CHECK(s.model.layers == 2);
  std::filesystem::remove_all(folder);
}

TEST_CASE("a group of nodes in a mixed cluster has a preset of its own") {
  const Scenario s = read_well(
      "[model]\npreset = \"mixtral-8x7b\"\n[[cluster.group]]\npreset = \"hgx-a100\"\nnodes = "
      "2\n"
      "[[cluster.group]]\npreset = \"hgx-h100\"\nnodes = 2\n[serving]\ninstances = 4\n");
  REQUIRE(s.cluster.groups.size() == 2);
  CHECK(s.cluster.groups[0].gpu.name == "a100-sxm");
  CHECK(s.cluster.groups[1].gpu.name == "h100-sxm");
  CHECK(gpu_count(s.cluster) == 32);
}

TEST_CASE("the place of every key that was given is kept, the preset's in the preset's file") {
  const Scenario s = read_well(kStart + "[serving]\n  tp = 2\n", {"serving.max_batch=7"});
  CHECK(s.places.of("serving.tp").line == 7);
  CHECK(s.places.of("serving.tp").column == 8);
  CHECK(s.places.of("serving.max_batch").file == "--set");
  CHECK(s.places.of("model.layers").file.ends_with("scenarios/models/deepseek-v3.toml"));
  CHECK_FALSE(s.places.has("serving.dp"));
  CHECK(s.places.of("serving.dp").line == 6);  // of [serving]
  CHECK(s.places.of("slo.ttft_p99") == Place{});
}

TEST_CASE("a cluster's file that cannot be read is told at its key, with the file's name") {
  const std::string text = kStart + "fabric = \"import\"\nfile = \"no/such.xml\"\n";
  const std::vector<Diagnostic> faults = faults_of(text);
  REQUIRE(faults.size() == 1);
  CHECK(faults.front().place.file == "a.toml");
  CHECK(faults.front().place.line == 7);
  CHECK(faults.front().message.find("no/such.xml: No such file") != std::string::npos);
  CHECK(faults.front().expected.find("the scenario's folder") != std::string::npos);
  const std::vector<Diagnostic> none = faults_of(kStart + "fabric = \"import\"\n");
  REQUIRE(none.size() == 1);
  CHECK(none.front().message == "cluster.fabric = \"import\" without cluster.file");
  CHECK(none.front().place.file == "a.toml");
}
