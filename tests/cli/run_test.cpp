// What a run leaves in its folder, and that a report is made from it again.
#include <catch2/catch.hpp>
#include <filesystem>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

namespace fs = std::filesystem;

const std::string kScenario = MOESIM_SOURCE "/scenarios/what-if/single-node-mixtral.toml";

struct RunFolder {
  fs::path path = fs::temp_directory_path() / "moesim_run_test";
  RunFolder() { fs::remove_all(path); }
  ~RunFolder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE(
    "run leaves every file it promises, whole; report and its pictures follow from them") {
  const RunFolder folder;
  const Outcome run =
      run_program({"run", kScenario, "--set", "requests=60", "-o", folder.path});
  CAPTURE(run.err);
  REQUIRE(run.status == 0);
  CHECK(says(run.out, "TTFT"));
  CHECK_FALSE(says(run.out, "▁"));  // curves are for terminals
  for (const char* name :
       {"result.json", "requests.csv", "gpus.csv", "links.csv", "experts.csv", "layers.csv",
        "timeline.csv", "series.json", "report.html", "resolved.toml"}) {
    CAPTURE(name);
    CHECK(fs::file_size(folder.path / name) > 100);
  }
  for (const fs::directory_entry& file : fs::directory_iterator(folder.path)) {
    CHECK(file.path().extension() != ".tmp");
  }
  const std::string series = read_file(folder.path / "series.json");
  for (const char* chart :
       {"phases_step", "phases_prefill", "phases_decode", "cdfs", "gpu_time", "expert_layer",
        "gpu_layer", "placement", "gpu_utilization", "kv_used", "batch_tokens"}) {
    CAPTURE(chart);
    CHECK(says(series, "\"" + std::string(chart) + "\""));
  }

  CHECK(run_program({"report", folder.path}).status == 0);
  const Outcome plots =
      run_program({"report", folder.path, "--plot", "all", "--format", "svg"});
  if (says(plots.err, "node")) {
    WARN("pictures were skipped: " + plots.err);
    return;
  }
  CHECK(plots.status == 0);
  CHECK(fs::file_size(folder.path / "plots" / "phases_step.svg") > 1000);
  CHECK(says(read_file(folder.path / "plots" / "cdf_ttft.svg"), "<svg"));
}

TEST_CASE("--trace-window chooses what trace.pftrace shows, and a wrong one is refused") {
  const RunFolder folder;
  const auto run = [&](const char* window) {
    return run_program({"run", kScenario, "--set", "requests=60", "--trace-window", window,
                        "-o", folder.path});
  };
  CHECK(run("0s:100s").status == 0);
  const auto whole = fs::file_size(folder.path / "trace.pftrace");
  CHECK(run("1s:1200ms").status == 0);
  CHECK(fs::file_size(folder.path / "trace.pftrace") < whole / 4);
  CHECK(fs::file_size(folder.path / "trace.pftrace") > 1000);
  const Outcome wrong = run("2s:1s");
  CHECK(wrong.status == 2);
  CHECK(says(wrong.err, "FROM before UNTIL"));
}

TEST_CASE("the schema beside the shipped scenarios is the program's own") {
  CHECK(run_program({"schema"}).out ==
        read_file(MOESIM_SOURCE "/scenarios/moesim.schema.json"));
}
