#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/scenario/support.hpp"

namespace moesim::tests {

std::vector<std::string> shipped_scenarios() {
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::recursive_directory_iterator(kScenarios)) {
    const std::string folder = file.path().parent_path().filename();
    if (file.path().extension() != ".toml" || folder == "models" || folder == "systems")
      continue;
    files.push_back(file.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace moesim::tests

using namespace moesim;
using namespace moesim::tests;

TEST_CASE("every shipped scenario loads and holds no contradiction") {
  REQUIRE(shipped_scenarios().size() >= 2);
  for (const std::string& file : shipped_scenarios()) {
    CAPTURE(file);
    CHECK_NOTHROW(read_file_well(file));
  }
}

TEST_CASE("every shipped scenario names the schema on its first line, where editors look") {
  for (const std::string& file : shipped_scenarios()) {
    CAPTURE(file);
    std::ifstream in(file);
    std::string first;
    std::getline(in, first);
    REQUIRE(first.starts_with("#:schema "));
    const auto schema = std::filesystem::path(file).parent_path() / first.substr(9);
    CHECK(std::filesystem::exists(schema));
  }
}

TEST_CASE("every shipped model runs on every shipped system, or is told why not") {
  for (const std::string& model : preset_names("models")) {
    for (const std::string& system : preset_names("systems")) {
      CAPTURE(model, system);
      Diagnostics diagnostics;
      Scenario scenario = read_scenario_text(
          "model.preset = \"" + model + "\"\ncluster.preset = \"" + system + "\"\n", "a.toml",
          {}, diagnostics);
      CHECK_FALSE(diagnostics.has_errors());
      validate(scenario, diagnostics);
      for (const Diagnostic& d : diagnostics.all()) {
        CHECK(d.message.find("; ") != std::string::npos);  // two keys at least
        CHECK_FALSE(d.expected.empty());
      }
    }
  }
}

TEST_CASE("every shipped system says what it has, and its ratios are those of a GPU") {
  for (const std::string& name : preset_names("systems")) {
    CAPTURE(name);
    const ClusterOptions c = read_system(name);
    CHECK(c.gpu.memory.value > 40e9);
    // Operations per byte at the ridge of the roofline: 100 to 500 for bf16 since Ampere.
    const double ridge = c.gpu.bf16_flops.value / c.gpu.memory_bandwidth.value;
    CHECK(ridge > 100);
    CHECK(ridge < 500);
    CHECK((c.gpu.fp8_flops.value == 0 ||
           c.gpu.fp8_flops.value == Approx(2 * c.gpu.bf16_flops.value).epsilon(0.02)));
    CHECK(c.node.nvlink_bandwidth + c.node.pcie_bandwidth > BytesPerSecond{0});
    CHECK(c.node.price.value > 0);
    CHECK(c.gpu.idle_power < c.gpu.power);
  }
  CHECK(preset_names("systems") == std::vector<std::string>{"gb200-nvl72", "hgx-a100",
                                                            "hgx-b200", "hgx-h100", "hgx-h200",
                                                            "hgx-h800", "l40s-pcie"});
}

TEST_CASE("the quickstart is DeepSeek-V3 on 64 H200 in 8 nodes, EP64, 64 redundant experts") {
  const Scenario s = read_file_well(kScenarios + "quickstart.toml");
  CHECK(s.requests == 5000);
  CHECK(s.model.experts == 256);
  CHECK(s.model.attention.kind == AttentionKind::mla);
  CHECK(s.cluster.nodes * s.cluster.node.gpus == 64);
  CHECK(s.cluster.gpu.name == "h200-sxm");
  CHECK(s.cluster.node.nic_bandwidth.value == 50e9);
  CHECK(s.placement.strategy == "eplb");
  CHECK(s.placement.redundant_experts == 64);
  CHECK(s.traffic.arrivals.process == ArrivalProcess::poisson);
}
