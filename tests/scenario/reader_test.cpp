#include <catch2/catch.hpp>

#include <filesystem>

#include "sim/scenario/scenario.hpp"

using namespace moesim;

namespace {

Scenario read_well(const std::string& file, const std::vector<std::string>& set = {}) {
  Diagnostics diagnostics;
  Scenario scenario = read_scenario(file, set, diagnostics);
  diagnostics.throw_if_errors();
  return scenario;
}

const std::string kQuickstart = MOESIM_SOURCE "/scenarios/quickstart.toml";

std::vector<Diagnostic> faults_of(const std::string& text,
                                  const std::vector<std::string>& set = {}) {
  Diagnostics diagnostics;
  read_scenario_text(text, "a.toml", set, diagnostics);
  return diagnostics.all();
}

const std::string kStart =
    "[model]\npreset = \"deepseek-v3\"\n[cluster]\npreset = \"hgx-h200\"\n";

}  // namespace

TEST_CASE("every shipped scenario, model and system loads") {
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(MOESIM_SOURCE "/scenarios")) {
    const std::string folder = file.path().parent_path().filename();
    if (file.path().extension() != ".toml" || folder == "models" || folder == "systems")
      continue;
    CAPTURE(file.path());
    CHECK_NOTHROW(read_well(file.path()));
  }
  for (const std::string& name : preset_names("models")) CHECK_NOTHROW(read_model(name));
  for (const std::string& name : preset_names("systems")) CHECK_NOTHROW(read_system(name));
}

TEST_CASE("the quickstart says what it says") {
  const Scenario s = read_well(kQuickstart);
  CHECK(s.requests == 5000);
  CHECK(s.model.experts == 256);
  CHECK(s.model.attention.kind == AttentionKind::mla);
  CHECK(s.cluster.nodes == 8);
  CHECK(s.cluster.gpu.name == "h200-sxm");
  CHECK(s.cluster.node.nic_bandwidth.value == 50e9);
  CHECK(s.placement.redundant_experts == 64);
  CHECK(s.traffic.arrivals.rate.value == 40);
  CHECK(s.traffic.input_tokens.distribution == LengthDistribution::lognormal);
}

TEST_CASE("resolved.toml reads back to an equal scenario") {
  for (const std::string file :
       {"/scenarios/quickstart.toml", "/scenarios/examples/hot_tenant.toml"}) {
    const Scenario s = read_well(MOESIM_SOURCE + file);
    Diagnostics diagnostics;
    const Scenario back =
        read_scenario_text(resolved_toml(s), "resolved.toml", {}, diagnostics);
    diagnostics.throw_if_errors();
    CHECK(back == s);
    CHECK(resolved_toml(back) == resolved_toml(s));
  }
}

TEST_CASE("--set lies over the file, which lies over the preset") {
  const Scenario s =
      read_well(kQuickstart, {"placement.strategy=linear", "router.skew=0", "model.top_k=4",
                              "traffic.arrivals.rate=5 req/min"});
  CHECK(s.placement.strategy == "linear");
  CHECK(s.router.skew == "0");
  CHECK(s.model.top_k == 4);
  CHECK(s.traffic.arrivals.rate.value == 5.0 / 60);
}

TEST_CASE("all faults of a file are told at once, each at its line and column") {
  const auto faults =
      faults_of(kStart + "[serving]\ntpp = 1\nmax_batch = \"many\"\nmode = \"agregated\"\n");
  REQUIRE(faults.size() == 3);
  CHECK(faults[0].place.line == 6);
  CHECK(faults[0].hint == "did you mean 'tp'?");
  CHECK(faults[1].place.column == 13);
  CHECK(faults[1].message == "serving.max_batch is 'many'");
  CHECK(faults[2].hint == "did you mean 'aggregated'?");
}
