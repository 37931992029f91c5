#include "sim/placement/problem_json.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/placement/strategy.hpp"

using namespace moesim;

namespace {

constexpr const char* kPublished = R"({
  "weights": [[90,132,40,61,104,165,39,4,73,56,183,86], [20,107,104,64,19,197,187,157,172,86,16,27]],
  "slots": 16, "groups": 4, "nodes": 2, "gpus": 8, "strategy": "eplb"})";

// What the user would see.
std::string complaint(const std::string& text) {
  try {
    (void)place_problem(text, "p.json");
  } catch (const InputError& e) {
    return e.what();
  } catch (const WorldError& e) {
    return e.what();
  }
  return "no complaint";
}

using Catch::Contains;

}  // namespace

TEST_CASE("a problem in JSON gives the published placement, its counts and its bound") {
  const auto json = nlohmann::json::parse(place_problem(kPublished, "p.json"));
  CHECK(json["physical_to_logical"].dump() ==
        "[[5,6,5,7,8,4,3,4,10,9,10,2,0,1,11,1],[7,10,6,8,6,11,8,9,2,4,5,1,5,0,3,1]]");
  CHECK(json["replica_count"][0].dump() == "[1,2,1,1,2,2,1,1,1,1,2,1]");
  // By hand: GPU 6 of layer 0 has expert 0 and one of two replicas of expert 1.
  const double busiest = 90 + 132 / 2.0;
  CHECK(json["layer_busiest_gpu"][0].get<double>() == Approx(busiest));
  CHECK(json["layer_balancedness"][0].get<double>() == Approx(1033 / 8.0 / busiest));
  CHECK(json["lower_bound"].get<double>() <= json["busiest_gpu"].get<double>());
}

TEST_CASE("a problem written and read again is the same problem") {
  ProblemFile a = read_problem(kPublished, "a");
  a.problem.weights[3] = 0.1;  // not exact in decimal
  a.problem.migration_budget = 3;
  a.problem.previous = place(a.problem, {.strategy = "linear"}).physical_to_logical;
  a.problem.gpu_speed.assign(8, 1.5);
  a.problem.windows = a.problem.weights;
  const ProblemFile b = read_problem(problem_json(a.problem), "b");
  CHECK(b.problem.weights == a.problem.weights);
  CHECK(b.problem.windows == a.problem.windows);
  CHECK(b.problem.previous == a.problem.previous);
  CHECK(b.problem.gpu_speed == a.problem.gpu_speed);
  CHECK(b.problem.migration_budget == a.problem.migration_budget);
  CHECK(b.problem.layers == 2);
}

TEST_CASE("an infeasible problem is refused with both numbers") {
  CHECK_THAT(complaint(R"({"weights": [[1,2,3,4]], "slots": 2, "gpus": 2})"),
             Contains("2 slots cannot hold 4 experts"));
  CHECK_THAT(complaint(R"({"weights": [[1,2,3,4]], "slots": 6, "gpus": 4})"),
             Contains("6 slots do not divide over 4 GPUs"));
  CHECK_THAT(complaint(R"({"weights": [[1,2,3,4]], "slots": 6, "gpus": 6, "nodes": 4})"),
             Contains("6 GPUs do not divide over 4 nodes"));
  CHECK_THAT(complaint(R"({"weights": [[1,2,3,4]], "slots": 4, "gpus": 4, "groups": 3})"),
             Contains("4 experts do not divide into 3 groups"));
  CHECK_THAT(complaint(R"({"weights": [[1,2,3,4]], "slots": 4, "gpus": 2, "nodes": 2,
                           "groups": 1, "strategy": "eplb_hierarchical"})"),
             Contains("1 expert groups do not divide over 2 nodes"));
  CHECK_THAT(complaint(R"({"weights": [[1,2,3,4]], "slots": 4, "gpus": 0})"),
             Contains("gpus is 0"));
  CHECK_THAT(complaint(R"({"weights": [], "slots": 4, "gpus": 1})"), Contains("layers is 0"));
}

TEST_CASE("weights that are no numbers are refused with their place") {
  CHECK_THAT(complaint("{\"weights\": [[1, NaN]],\n \"slots\": 2, \"gpus\": 1}"),
             Contains("p.json:1:") && Contains("no NaN"));
  CHECK_THAT(complaint(R"({"weights": [[1, null]], "slots": 2, "gpus": 1})"),
             Contains("weights[0][1] is null"));
  CHECK_THAT(complaint(R"({"weights": [[1, -3]], "slots": 2, "gpus": 1})"),
             Contains("weights[0][1] is -3"));
  CHECK_THAT(complaint(R"({"weights": [[1, 1e999]], "slots": 2, "gpus": 1})"),
             Contains("out of range"));
  CHECK_THAT(complaint(R"({"weights": [[1, 2], [3]], "slots": 2, "gpus": 1})"),
             Contains("weights[1] has 1 experts, weights[0] has 2"));
  CHECK_THAT(complaint(""), Contains("empty"));
  CHECK_THAT(complaint("\x7f\x45\x4c\x46"), Contains("malformed JSON"));
  CHECK_THAT(complaint("[1]"), Contains("not a JSON object"));
}

TEST_CASE("unknown keys and strategies name what was meant; all faults come at once") {
  const std::string all = complaint(R"({"weights": [[1,2]], "slotz": 2, "strategy": 7})");
  CHECK_THAT(all, Contains("unknown key 'slotz'") && Contains("slots") &&
                      Contains("'gpus' is missing") && Contains("'strategy' is 7"));
  CHECK_THAT(
      complaint(R"({"weights": [[1,2]], "slots": 2, "gpus": 1, "strategy": "eplb_globl"})"),
      Contains("eplb_global"));
}

TEST_CASE("an external program is given the problem and its answer is checked") {
  const auto with_program = [](const std::string& program) {
    return R"({"weights": [[1,2,3,4]], "slots": 4, "gpus": 2, "strategy": "external", "program": ")" +
           program + "\"}";
  };
  const auto json = nlohmann::json::parse(
      place_problem(with_program("cat > /dev/null; echo '[[3,2,1,0]]'"), "p.json"));
  CHECK(json["physical_to_logical"].dump() == "[[3,2,1,0]]");
  CHECK_THAT(complaint(with_program("exit 3")), Contains("ended with status 3"));
  CHECK_THAT(complaint(with_program("kill -9 $$")), Contains("signal 9"));
  CHECK_THAT(complaint(with_program("echo hello")), Contains("malformed JSON"));
  CHECK_THAT(complaint(with_program("true")), Contains("empty"));
  CHECK_THAT(complaint(with_program("echo '[[3,2,1]]'")), Contains("has 3 slots"));
  CHECK_THAT(complaint(with_program("echo '[[3,2,1,1]]'")), Contains("lacks 1 of 4 experts"));
  CHECK_THAT(complaint(with_program("echo '[[3,2,1,9]]'")), Contains("has expert 9"));
  CHECK_THAT(complaint(with_program("/no/such/program")), Contains("status 127"));
}

TEST_CASE("an external program that hangs is stopped with its children") {
  const PlacementProblem p = read_problem(kPublished, "p").problem;
  PlacementOptions options{.strategy = "external", .program = "sleep 100 & sleep 100"};
  options.program_limit = Seconds{0.2};
  CHECK_THROWS_WITH(place(p, options), Contains("within 0.2 s"));
}

TEST_CASE("a placement written as a map reads back, in each format") {
  const PlacementProblem p = read_problem(kPublished, "p").problem;
  const Placement placed = place(p, {.strategy = "eplb"});
  const auto path = std::filesystem::temp_directory_path() / "moesim_map_test.json";
  write_file(path, placement_map_json(placed));
  CHECK(place(p, {.strategy = "file", .file = path.string()}).physical_to_logical ==
        placed.physical_to_logical);
  std::filesystem::remove(path);
  const auto vllm = read_placement_map(
      R"({"moe_layer_count": 1, "layer_list": [{"layer_id": 0, "device_count": 2,
          "device_list": [{"device_id": 0, "device_expert": [0, 1]},
                          {"device_id": 1, "device_expert": [2, 0]}]}]})",
      "m");
  CHECK(vllm == std::vector<std::vector<int>>{{0, 1, 2, 0}});
  CHECK_THROWS_WITH(place(p, {.strategy = "file", .file = "/no/such/map"}),
                    Contains("/no/such/map"));
}
