// `moesim run` as its users run it.
#include <catch2/catch.hpp>

#include <filesystem>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;
namespace fs = std::filesystem;

namespace {

const std::string kQuickstart = MOESIM_SOURCE "/scenarios/quickstart.toml";

// A folder of its own, gone at the end.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("moesim_run_test." + std::to_string(++count));
  ~Folder() { fs::remove_all(path); }
  static inline int count = 0;
};

tests::Outcome run(const Folder& folder, std::vector<std::string> more = {}) {
  std::vector<std::string> words{
      "run",   kQuickstart,   "-o",    folder.path.string(),
      "--set", "requests=60", "--set", "traffic.output_tokens.mean=20"};
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words);
}

}  // namespace

TEST_CASE("the same scenario and seed give the same bytes, another seed gives others") {
  Folder folder;
  const auto first = run(folder, {"--format", "json"});
  REQUIRE(first.status == 0);
  const std::string file = read_file(folder.path / "result.json");
  const std::string requests = read_file(folder.path / "requests.csv");
  const auto second = run(folder, {"--format", "json"});
  CHECK(first.out == second.out);
  CHECK(read_file(folder.path / "result.json") == file);
  CHECK(read_file(folder.path / "requests.csv") == requests);
  CHECK(run(folder, {"--format", "json", "--seed", "2"}).out != first.out);
}

TEST_CASE("a run leaves all its files, and stdout holds data only") {
  Folder folder;
  const auto out = run(folder, {"--format", "json"});
  REQUIRE(out.status == 0);
  CHECK(out.out.starts_with("{"));
  for (const char* name :
       {"result.json", "requests.csv", "gpus.csv", "links.csv", "experts.csv", "layers.csv",
        "timeline.csv", "series.json", "report.html", "resolved.toml"}) {
    INFO(name);
    CHECK(fs::exists(folder.path / name));
  }
}

TEST_CASE("what resolved.toml holds runs to the same result") {
  Folder folder;
  Folder again;
  const auto first = run(folder, {"--format", "json"});
  const auto second = run_program({"run", (folder.path / "resolved.toml").string(), "-o",
                                   again.path.string(), "--format", "json"});
  CHECK(first.out == second.out);
}

TEST_CASE("what cannot be is told with exit 2, never with a stack trace") {
  Folder folder;
  const std::vector<std::string> wrong{
      "cluster.nodes=0",          "model.preset=deepseek-v33", "traffic.arrivals.rate=-1",
      "cluster.gpu.memory=24 GB", "placement.strategy=epbl",   "serving.tp=3",
      "calibration.profile=nope", "router.skew=upside-down",   "placement.dispatch=nearst"};
  for (const std::string& set : wrong) {
    const auto out = run(folder, {"--set", set});
    INFO(set << "\n" << out.err);
    CHECK(out.status == 2);
    CHECK(out.out.empty());
    CHECK(out.err.find("error: ") != std::string::npos);
    CHECK(out.err.find("expected: ") != std::string::npos);
  }
}

TEST_CASE("a folder that cannot be written is an error before the simulation") {
  const auto out = run_program({"run", kQuickstart, "-o", "/proc/moesim"});
  CHECK(out.status == 1);
  CHECK(out.err.find("/proc/moesim") != std::string::npos);
}

TEST_CASE("a missed promise exits 3 only when asked to check") {
  Folder folder;
  CHECK(run(folder, {"--set", "slo.ttft_p99=1 us"}).status == 0);
  CHECK(run(folder, {"--set", "slo.ttft_p99=1 us", "--check-slo"}).status == 3);
  CHECK(run(folder, {"--set", "slo.ttft_p99=1 h", "--check-slo"}).status == 0);
}
