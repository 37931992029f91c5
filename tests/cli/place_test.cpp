// `moesim place`: the contract of --problem, what it refuses, and the table of strategies.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;
using Json = nlohmann::json;

namespace {

const std::string kQuickstart = MOESIM_SOURCE "/scenarios/quickstart.toml";

Outcome place_text(const std::string& text) {
  const auto file = std::filesystem::temp_directory_path() / "moesim_place_test.json";
  write_file(file, text);
  Outcome outcome = run_program({"place", "--problem", file.string()});
  std::filesystem::remove(file);
  return outcome;
}

Json two_layers(const std::string& strategy) {
  return {{"weights",
           {{90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86},
            {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27}}},
          {"slots", 16},
          {"groups", 4},
          {"nodes", 2},
          {"gpus", 8},
          {"strategy", strategy}};
}

// Exit 2, nothing on stdout, all parts on stderr, and no trace of how the program is made.
void refuses(const std::string& text, const std::vector<std::string>& parts) {
  const Outcome o = place_text(text);
  CAPTURE(text, o.err);
  CHECK(o.status == 2);
  CHECK(o.out.empty());
  for (const auto& part : parts) CHECK(says(o.err, part));
  for (const char* trace : {"terminate called", "what():", ".cpp:", "json.exception"}) {
    CHECK_FALSE(says(o.err, trace));
  }
}

// two_layers with other values for some keys; null takes the key away.
std::string with(const Json& changes) {
  Json problem = two_layers("eplb");
  problem.merge_patch(changes);
  return problem.dump();
}

}  // namespace

TEST_CASE("place --problem: stdout is the placement and nothing else") {
  const Outcome o = place_text(two_layers("eplb").dump());
  CHECK(o.status == 0);
  CHECK(o.err.empty());
  const Json out = Json::parse(o.out);
  CHECK(out["physical_to_logical"].dump() ==
        "[[5,6,5,7,8,4,3,4,10,9,10,2,0,1,11,1],[7,10,6,8,6,11,8,9,2,4,5,1,5,0,3,1]]");
  CHECK(out["replica_count"].dump() == "[[1,2,1,1,2,2,1,1,1,1,2,1],[1,2,1,1,1,2,2,1,2,1,1,1]]");
}

TEST_CASE("place --problem: counts, balancedness and bound follow from the map") {
  for (const char* strategy :
       {"linear", "round_robin", "eplb", "eplb_hierarchical", "eplb_global", "eplb_multistep",
        "incremental", "coactivation", "device_groups", "hypergraph", "linked"}) {
    CAPTURE(strategy);
    Json problem = two_layers(strategy);
    if (std::string(strategy) == "device_groups") problem["slots"] = 24;
    const Json out = Json::parse(place_text(problem.dump()).out);
    double balancedness = 0;
    double busiest = 0;
    for (std::size_t l = 0; l < 2; ++l) {
      const auto map = out["physical_to_logical"][l].get<std::vector<int>>();
      const auto counts = out["replica_count"][l].get<std::vector<int>>();
      const auto weights = problem["weights"][l].get<std::vector<double>>();
      for (std::size_t e = 0; e < 12; ++e) {
        CHECK(counts[e] == std::ranges::count(map, static_cast<int>(e)));
        CHECK(counts[e] >= 1);
      }
      if (std::string(strategy) == "device_groups") continue;  // its GPUs differ by layer
      std::vector<double> load(8, 0.0);
      double total = 0;
      for (std::size_t s = 0; s < 16; ++s) {
        const auto e = static_cast<std::size_t>(map[s]);
        load[s / 2] += weights[e] / counts[e];
        total += weights[e] / counts[e];
      }
      const double most = *std::ranges::max_element(load);
      balancedness += total / 8 / most / 2;
      busiest += most / 2;
    }
    CHECK(out["lower_bound"].get<double>() <= out["busiest_gpu"].get<double>() * (1 + 1e-9));
    if (std::string(strategy) == "device_groups") continue;
    CHECK(out["balancedness"].get<double>() == Approx(balancedness).epsilon(1e-12));
    CHECK(out["busiest_gpu"].get<double>() == Approx(busiest).epsilon(1e-12));
  }
}

TEST_CASE("place --problem: defaults, one layer as a plain list, and whole floats") {
  const Json a =
      Json::parse(place_text(R"({"weights": [3, 1, 2], "slots": 4, "gpus": 2})").out);
  const Json b = Json::parse(
      place_text(
          R"({"weights": [[3.0, 1e0, 2]], "slots": 4.0, "groups": 1, "nodes": 1, "gpus": 2,
              "strategy": "eplb"})")
          .out);
  CHECK(a == b);
  CHECK(a["replica_count"].dump() == "[[2,1,1]]");
}

TEST_CASE("place --problem refuses what cannot be placed, with both numbers") {
  refuses(with({{"slots", 8}}), {"8 slots cannot hold 12 experts"});
  refuses(with({{"slots", 20}}), {"20 slots do not divide over 8 GPUs"});
  refuses(with({{"nodes", 3}}), {"8 GPUs do not divide over 3 nodes"});
  refuses(with({{"groups", 5}}), {"12 experts do not divide into 5 groups"});
  refuses(with({{"groups", 3}, {"strategy", "eplb_hierarchical"}}),
          {"3 expert groups do not divide over 2 nodes"});
  refuses(with({{"gpus", 0}}), {"gpus is 0"});
  refuses(with({{"nodes", -2}}), {"nodes is -2"});
  refuses(with({{"weights", Json::array()}}), {"layers is 0"});
  refuses(with({{"weights", {Json::array()}}}), {"experts is 0"});
  refuses(with({{"slots", 8}, {"nodes", 3}, {"groups", 5}}),
          {"8 slots cannot", "over 3 nodes", "into 5 groups"});
}

TEST_CASE("place --problem refuses values of another kind, and says where") {
  refuses(with({{"slots", 16.5}}), {"'slots' is 16.5", "an integer"});
  refuses(with({{"slots", "16"}}), {"'slots' is \"16\""});
  refuses(with({{"gpus", 1e12}}), {"'gpus' is"});
  refuses(with({{"gpus", true}}), {"'gpus' is true"});
  refuses(with({{"strategy", "eplb_globl"}}), {"eplb_global"});
  refuses(with({{"strategy", 3}}), {"'strategy' is 3"});
  refuses(with({{"weights", "all"}}), {"weights is \"all\""});
  refuses(with({{"weights", {{1, 2}, {3}}}}), {"weights[1] has 1 experts, weights[0] has 2"});
  refuses(with({{"weights", {{1, "2"}, {3, 4}}}}), {"weights[0][1] is \"2\""});
  refuses(with({{"weights", {{1, -2}, {3, 4}}}}), {"weights[0][1] is -2"});
  refuses(with({{"weights", {1, {3, 4}}}}), {"weights[0] is 1"});
  refuses(with({{"slots", nullptr}}), {"'slots' is missing"});
  refuses(with({{"slotz", 16}}), {"unknown key 'slotz'", "did you mean 'slots'"});
  refuses("{\"weights\": [[1, NaN]],\n \"slots\": 2, \"gpus\": 1}", {":1:", "no NaN"});
  refuses("{\"weights\": [[1, 1e999]], \"slots\": 2, \"gpus\": 1}", {"out of range"});
  refuses("", {"empty"});
  refuses("[1, 2]", {"not a JSON object"});
  refuses("{\"weights\": [[1, 2]], \"slots\": 2,", {"malformed JSON"});
  CHECK(run_program({"place", "--problem", "/no/such/file.json"}).status == 2);
  CHECK(run_program({"place", "--problem", "/"}).status == 2);
  CHECK(run_program({"place"}).status == 2);
  CHECK(run_program({"place", kQuickstart, "--problem", "/dev/null"}).status == 2);
}

TEST_CASE("place --problem: an external program that fails is the user's to know") {
  const auto with_program = [](const char* program) {
    return with({{"strategy", "external"}, {"program", program}});
  };
  for (const char* program : {"exit 3", "kill -9 $$", "echo hello", "true", "echo '[[0]]'"}) {
    const Outcome o = place_text(with_program(program));
    CAPTURE(program, o.err);
    CHECK((o.status == 1 || o.status == 2));
    CHECK(o.out.empty());
    CHECK(says(o.err, "error: "));
  }
}

TEST_CASE("place FILE compares every strategy on a scenario's traffic") {
  const Outcome o = run_program({"place", kQuickstart, "--set", "model.layers=6", "--set",
                                 "placement.training_tokens=4096"});
  CAPTURE(o.err);
  CHECK(o.status == 0);
  for (const char* name : {"linear", "eplb_global", "hypergraph", "linked", "gap"}) {
    CHECK(says(o.out, name));
  }
}
