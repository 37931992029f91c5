// What a cluster looks like to its user: text, JSON and pictures, and what he did wrong.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

namespace fs = std::filesystem;

struct ScenarioFile {
  fs::path path = fs::temp_directory_path() / "moesim_topology_test.toml";
  explicit ScenarioFile(const std::string& text) { std::ofstream(path) << text; }
  ~ScenarioFile() { fs::remove(path); }
};

const std::string kHead =
    "[model]\npreset = \"olmoe-1b-7b\"\n[cluster]\npreset = \"hgx-h100\"\n";

// Two nodes whose NICs meet in a switch of this name.
std::string explicit_cluster(const std::string& name_in_toml) {
  std::string out = kHead + "nodes = 2\nfabric = \"explicit\"\n";
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 8; ++i) {
      out += "[[cluster.link]]\nfrom = \"node" + std::to_string(n) + ".nic" +
             std::to_string(i) + "\"\nto = " + name_in_toml +
             "\nbandwidth = \"400 Gbps\"\nlatency = \"1 us\"\n";
    }
  }
  return out;
}

Outcome topology(const fs::path& file, const std::string& format) {
  return run_program({"topology", file, "--format", format});
}

}  // namespace

TEST_CASE("topology tells links, bisection and the busiest links of the scenario's own step") {
  const ScenarioFile file(kHead + "nodes = 2\n");
  const Outcome text = topology(file.path, "table");
  CAPTURE(text.err);
  REQUIRE(text.status == 0);
  for (const char* part : {"16 GPUs in 2 nodes", "nvlink", "bisection", "even all-to-all",
                           "busiest links of a step: dispatch and combine of all MoE layers: a "
                           "decode step of 128 tokens",
                           "single points of failure: none"}) {
    CHECK(says(text.out, part));
  }
  const nlohmann::json json = nlohmann::json::parse(topology(file.path, "json").out);
  CHECK(json.at("gpus") == 16);
  CHECK(json.at("bisection_bytes_per_s") == Approx(8 * 50e9));
  CHECK(json.at("step_hot_links").size() == 8);
  CHECK(json.at("step_hot_links")[0].at("share") == Approx(1));
}

TEST_CASE("The busiest links of a step follow the router: under a harsher one they stand out") {
  const ScenarioFile file(kHead + "nodes = 2\n");
  const auto eighth = [&](const char* skew) {
    const Outcome out =
        run_program({"topology", file.path, "--format", "json", "--set",
                     std::string("router.skew=") + skew, "--set", "placement.strategy=linear"});
    CAPTURE(out.err);
    REQUIRE(out.status == 0);
    return nlohmann::json::parse(out.out).at("step_hot_links")[7].at("share").get<double>();
  };
  CHECK(eighth("0") > eighth("2"));
}

TEST_CASE("A switch's name cannot break out of a picture") {
  const ScenarioFile file(explicit_cluster(R"("a\"b\\c<script>&")"));
  const Outcome dot = topology(file.path, "dot");
  CAPTURE(dot.err);
  REQUIRE(dot.status == 0);
  CHECK(says(dot.out, "graph cluster {"));
  CHECK(says(dot.out, R"("a\"b\\c<script>&")"));
  const Outcome svg = topology(file.path, "svg");
  REQUIRE(svg.status == 0);
  CHECK(says(svg.out, "<svg xmlns"));
  CHECK(says(svg.out, "c&lt;script&gt;&amp;"));
  CHECK_FALSE(says(svg.out, "<script"));
}

TEST_CASE("A wrong cluster is told with its place and the way out, exit 2") {
  const auto fails = [](const std::string& toml, std::initializer_list<const char*> parts) {
    const ScenarioFile file(toml);
    const Outcome out = topology(file.path, "table");
    CAPTURE(out.err);
    CHECK(out.status == 2);
    CHECK(out.out.empty());
    for (const char* part : parts) CHECK(says(out.err, part));
  };
  fails(kHead + "nodes = 2\nfabric = \"rail_optimised\"\n",
        {"moesim_topology_test.toml:6", "rail_optimized"});
  fails(kHead + "nodes = -2\n", {"moesim_topology_test.toml:5", "nodes"});
  fails(kHead + "nodes = 3\nfabric = \"nvl_domain\"\nnodes_per_domain = 2\n",
        {"moesim_topology_test.toml:7", "nodes_per_domain", "3"});
  fails(kHead + "nodes = 2\nfabric = \"explicit\"\n",
        {"moesim_topology_test.toml:6", "cannot reach", "cluster.links"});
}
