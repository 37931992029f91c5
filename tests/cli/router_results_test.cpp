// What a run says of its router: loads that add up, alerts, and the price of balance.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

namespace fs = std::filesystem;

const std::string kScenario =
    "requests = 30\n[model]\npreset = \"mixtral-8x7b\"\n[cluster]\npreset = \"hgx-h200\"\n"
    "nodes = 1\n[traffic]\narrivals = { process = \"poisson\", rate = \"20 req/s\" }\n"
    "input_tokens = { mean = 200 }\noutput_tokens = { mean = 20 }\n"
    "[[traffic.tenant]]\nname = \"a\"\nshare = 0.7\ndomain = \"code\"\n"
    "[[traffic.tenant]]\nname = \"b\"\nshare = 0.2\ndomain = \"law\"\n"
    "[[traffic.tenant]]\nname = \"c\"\nshare = 0.1\ndomain = \"law\"\n";

// Runs it with these settings; the folder stays until the next run.
Outcome run(const std::vector<std::string>& settings) {
  const fs::path folder = fs::temp_directory_path() / "moesim_router_results_test";
  fs::remove_all(folder);
  fs::create_directories(folder);
  write_file(folder / "scenario.toml", kScenario);
  std::vector<std::string> words{
      "run", folder / "scenario.toml", "-o", folder / "run", "--format", "json"};
  for (const std::string& s : settings) words.insert(words.end(), {"--set", s});
  return run_program(words);
}

// Sums of `value` by `key` over a table of the last run; no cell holds a comma.
std::map<std::string, double> sums(const char* table, const std::string& key,
                                   const std::string& value) {
  std::istringstream file(
      read_file(fs::temp_directory_path() / "moesim_router_results_test/run" / table));
  std::map<std::string, double> sum;
  std::vector<std::string> head;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
    if (head.empty()) {
      head = cells;
      continue;
    }
    const auto at = [&](const std::string& name) {
      return cells.at(
          static_cast<std::size_t>(std::find(head.begin(), head.end(), name) - head.begin()));
    };
    sum[at(key)] += std::stod(at(value));
  }
  return sum;
}

}  // namespace

TEST_CASE("experts, windows and tenants each add up to the tokens of their layer") {
  const Outcome outcome = run({});
  CAPTURE(outcome.err);
  REQUIRE(outcome.status == 0);
  const auto tokens = sums("layers.csv", "layer", "tokens");
  REQUIRE(tokens.size() == 32);
  const auto experts = sums("experts.csv", "layer", "tokens");
  const auto shares = sums("experts.csv", "layer", "share");
  const auto windows = sums("load_windows.csv", "layer", "tokens");
  const auto tenants = sums("tenant_loads.csv", "layer", "tokens");
  for (const auto& [layer, n] : tokens) {
    CAPTURE(layer);
    CHECK(n > 30 * 200);
    CHECK(experts.at(layer) == n);
    CHECK(shares.at(layer) == Approx(1));
    CHECK(windows.at(layer) == n);
    CHECK(tenants.at(layer) == Approx(n));
  }
  CHECK(sums("tenant_loads.csv", "domain", "tokens").size() == 2);
  CHECK(sums("tenant_loads.csv", "tenant", "tokens").size() == 3);
}

TEST_CASE("a limit that is crossed is an alert that names the layer, the time and the key") {
  const Outcome quiet = run({"router.skew=balanced"});  // no default limit is near
  CHECK_FALSE(says(quiet.out, "alert: "));
  const Outcome loud = run({"router.alert.hottest_load=1.01", "router.alert.balancedness=1"});
  CHECK(says(loud.out, "alert: hottest_load is "));
  CHECK(says(loud.out, "router.alert.hottest_load = 1.01"));
  CHECK(says(loud.out, "alert: balancedness is "));
}

TEST_CASE("balance pressure evens the load, and what it displaces is reported") {
  double last_loss = 1e9;
  double last_lost = -1;
  for (const char* pressure : {"0", "0.5", "1"}) {
    REQUIRE(run({std::string("router.balance_pressure=") + pressure}).status == 0);
    const double loss = sums("layers.csv", "layer", "balance_loss").at("0");
    const double lost = sums("layers.csv", "layer", "router_mass_lost").at("0");
    CHECK(loss < last_loss);
    CHECK(lost > last_lost);
    last_loss = loss;
    last_lost = lost;
  }
  CHECK(last_loss == Approx(1).epsilon(1e-3));
}
