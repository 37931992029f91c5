// Laws of clusters that have GPUs of several kinds.
#include <catch2/catch.hpp>

#include "calibrate/profiles.hpp"
#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

// A node of each preset.
Scenario nodes_of(const std::vector<std::string>& presets,
                  const std::vector<std::string>& overrides = {}) {
  std::string groups = "[cluster]\nfabric = \"rail_optimized\"\n";
  for (const std::string& preset : presets) {
    groups += "[[cluster.group]]\npreset = \"" + preset + "\"\nnodes = 1\n";
  }
  std::string text = kSmall;
  const std::string one = "[cluster]\npreset = \"hgx-h200\"\nnodes = 1\n";
  text.replace(text.find(one), one.size(), groups);
  const bool only_a100 = std::ranges::count(presets, "hgx-h200") == 0;
  std::vector<std::string> all{
      "model.weights=bf16", "model.experts=16",
      std::string("calibration.profile=") + (only_a100 ? "a100" : "h200") + "-sxm/sglang"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  Diagnostics diagnostics;
  Scenario scenario = read_scenario_text(text, "mixed.toml", all, diagnostics);
  diagnostics.throw_if_errors();
  return scenario;
}

const std::vector<std::string> kTwoAtOnce{
    "requests=2", "serving.tp=8", "traffic.arrivals.process=closed_loop",
    "traffic.arrivals.concurrency=2", "traffic.output_tokens.mean=1"};

LayerCosts costs_of(const Walk& walk, const char* profile) {
  static std::vector<std::unique_ptr<CostModel>> kept;
  kept.push_back(std::make_unique<CostModel>(load_profile(profile)));
  return {walk.scenario().model, walk.simulation().parallel(), *kept.back()};
}

void check_equal(const Walk& a, const Walk& b) {
  CHECK(a.simulation().duration() == b.simulation().duration());
  const auto& x = a.recorder().records();
  const auto& y = b.recorder().records();
  REQUIRE(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    REQUIRE(x[i].first_token == y[i].first_token);
    REQUIRE(x[i].e2el() == y[i].e2el());
  }
}

}  // namespace

TEST_CASE("groups of one kind are a cluster of that kind, to the bit") {
  for (const char* tp : {"serving.tp=1", "serving.tp=4"}) {
    const auto groups = run(nodes_of({"hgx-h200", "hgx-h200"}, {tp}));
    const auto alone =
        run_small({"cluster.nodes=2", "model.weights=bf16", "model.experts=16", tp});
    check_equal(*groups, *alone);
  }
}

TEST_CASE("a rank computes as long as its own GPUs do, and a step waits for the slowest") {
  // attention of a step = layers x attention of a prompt on the A100
  const auto walk = run(nodes_of({"hgx-h200", "hgx-a100"}, kTwoAtOnce));
  RankBatch prompt;
  prompt.chunks.push_back({256, 0});
  const double layers = walk->scenario().model.layers;
  const double fast = layers * costs_of(*walk, "h200-sxm/sglang").attention(prompt, 0, 1).value;
  const double slow = layers * costs_of(*walk, "a100-sxm/sglang").attention(prompt, 0, 1).value;
  REQUIRE(slow > 1.5 * fast);
  const Instance& instance = walk->simulation().instance(0);
  REQUIRE(instance.steps() == 1);
  const std::vector<double>& busy = instance.model().attention_seconds();
  for (std::size_t g = 0; g < 16; ++g) CHECK(busy[g] == Approx(g < 8 ? fast : slow));
  const Result result = walk->result("test");
  CHECK(result.summary.find(MetricId::attention_time)->max == Approx(slow));
}

TEST_CASE("a rank with GPUs of two kinds is as slow as the slower kind") {
  auto options = kTwoAtOnce;
  options[0] = "requests=1";
  options[1] = "serving.tp=16";
  options[3] = "traffic.arrivals.concurrency=1";
  const auto walk = run(nodes_of({"hgx-h200", "hgx-a100"}, options));
  const auto alone = run(nodes_of({"hgx-a100", "hgx-a100"}, options));
  const auto seconds = [](const Walk& w) {
    return w.simulation().instance(0).model().attention_seconds().front();
  };
  CHECK(seconds(*walk) == Approx(seconds(*alone)));
}

TEST_CASE("pools of two kinds each compute as their own does") {
  const std::vector<std::string> pools{"serving.mode=disaggregated"};
  const auto both = run(nodes_of({"hgx-h200", "hgx-a100"}, pools));
  const auto fast = run(nodes_of({"hgx-h200", "hgx-h200"}, pools));
  const auto slow = run(nodes_of({"hgx-a100", "hgx-a100"}, pools));
  const auto ttft = [](const Walk& w) { return w.recorder().records().front().ttft().value; };
  CHECK(ttft(*both) == Approx(ttft(*fast)).epsilon(1e-9));
  CHECK(mean_tpot(*both) > 1.2 * mean_tpot(*fast));
  CHECK(mean_tpot(*both) == Approx(mean_tpot(*slow)).epsilon(0.15));
}

TEST_CASE("all ranks have the room for KV that the smallest GPU has") {
  const auto mixed = run(nodes_of({"hgx-h200", "hgx-a100"}, {"requests=1"}));
  const auto small = run(nodes_of({"hgx-a100", "hgx-a100"}, {"requests=1"}));
  CHECK(mixed->simulation().memory().kv_blocks == small->simulation().memory().kv_blocks);
}

TEST_CASE("a result says of every kind of GPU whose kernel times it has") {
  const auto walk = run(nodes_of({"hgx-h200", "hgx-a100"}, {"requests=1"}));
  std::vector<std::string> sources;
  for (const auto& p : walk->result("test").provenance) sources.push_back(p.source);
  for (const char* profile : {"profile h200-sxm/sglang", "profile a100-sxm/sglang"}) {
    CHECK(std::ranges::count(sources, profile) == 1);
  }
}

TEST_CASE("a result's head counts the GPUs of each kind") {
  const auto walk = run(nodes_of({"hgx-h200", "hgx-a100"}, {"requests=1"}));
  CHECK(walk->result("test").cluster == "2 nodes, 8 x h200-sxm + 8 x a100-sxm, rail_optimized");
}
