// moesim import trace: load.csv and tokens.jsonl, plain and gzip, and what a run makes of them.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

namespace fs = std::filesystem;

// A folder with traces of Mixtral-8x7B: 32 layers, 8 experts, top 2.
struct Traces {
  fs::path folder = fs::temp_directory_path() / "moesim_import_test";

  Traces() {
    fs::create_directories(folder);
    std::string load = "step,layer,expert,count\n";
    std::string tokens;
    for (int layer = 0; layer < 32; ++layer) {
      const auto at = std::to_string(layer);
      for (int step = 0; step < 10; ++step) {
        // 100 tokens: expert 0 is hot, expert 7 has what is left
        const int counts[] = {60 + step, 30, 30, 20, 20, 20, 10, 10 - step};
        for (int e = 0; e < 8; ++e) {
          load += std::to_string(step) + "," + at + "," + std::to_string(e) + "," +
                  std::to_string(counts[e]) + "\n";
        }
      }
      for (int t = 0; t < 40; ++t) {
        const int first = t % 2;  // of two kinds of tokens
        tokens += "{\"layer\":" + at + ",\"experts\":[" + std::to_string(first) + "," +
                  std::to_string(first + 2 + 2 * (t % 3)) +
                  "],\"request\":" + std::to_string(t / 10) +
                  ",\"position\":" + std::to_string(t % 10) + "}\n";
      }
    }
    write_file(folder / "load.csv", load);
    write_file(folder / "tokens.jsonl", tokens);
    const std::string pack = "cd '" + folder.string() + "' && gzip -fk load.csv tokens.jsonl";
    REQUIRE(std::system(pack.c_str()) == 0);
  }
  ~Traces() { fs::remove_all(folder); }

  [[nodiscard]] std::string operator/(const char* name) const { return folder / name; }

  // A small scenario in the folder with this [router] section.
  [[nodiscard]] Outcome run(const std::string& router) const {
    write_file(
        folder / "scenario.toml",
        "requests = 20\n[model]\npreset = \"mixtral-8x7b\"\n[cluster]\npreset = "
        "\"hgx-h200\"\nnodes = 1\n[traffic]\narrivals = { process = \"poisson\", rate = "
        "\"20 req/s\" }\ninput_tokens = { mean = 100 }\noutput_tokens = { mean = 10 }\n" +
            router);
    return run_program(
        {"run", *this / "scenario.toml", "-o", *this / "run", "--format", "json"});
  }
};

}  // namespace

TEST_CASE("import trace shows a load's layers and fits a router that a scenario can use") {
  const Traces traces;
  const Outcome shown = run_program({"import", "trace", traces / "load.csv"});
  CAPTURE(shown.err);
  CHECK(shown.status == 0);
  CHECK(says(shown.out, "32 layers, 8 experts, 10 steps"));
  for (const char* name : {"load.csv", "load.csv.gz"}) {
    CAPTURE(name);
    const Outcome fitted = run_program({"import", "trace", traces / name, "--model",
                                        "mixtral-8x7b", "--fit", "-o", traces / "router.toml"});
    CAPTURE(fitted.err);
    CHECK(fitted.status == 0);
    CHECK(says(fitted.out, "marginal"));
    const std::string section = read_file(traces.folder / "router.toml");
    CHECK(says(section, "skew = \"router.csv\""));
    const Outcome run = traces.run(section);  // found beside the scenario
    CAPTURE(run.err);
    CHECK(run.status == 0);
    // what the run resolved to runs again
    CHECK(says(read_file(traces.folder / "run/resolved.toml"), "router.csv"));
    CHECK(run_program({"run", traces / "run/resolved.toml", "-o", traces / "again"}).status ==
          0);
    CHECK(read_file(traces.folder / "run/experts.csv") ==
          read_file(traces.folder / "again/experts.csv"));
  }
}

TEST_CASE("import trace fits tokens, and prints likelihood and mutual information") {
  const Traces traces;
  for (const char* name : {"tokens.jsonl", "tokens.jsonl.gz"}) {
    CAPTURE(name);
    const Outcome fitted =
        run_program({"import", "trace", traces / name, "--fit", "--classes", "2"});
    CAPTURE(fitted.err);
    CHECK(fitted.status == 0);
    CHECK(says(fitted.out, "32 layers, 8 experts, top 2, 40 rows per layer, joined"));
    CHECK(says(fitted.out, "2 latent token classes"));
    CHECK(says(fitted.out, "likelihood"));
    CHECK(says(fitted.out, "between layers"));
  }
}

TEST_CASE("a scenario replays a load trace and a token trace") {
  const Traces traces;
  for (const char* name : {"load.csv", "load.csv.gz", "tokens.jsonl", "tokens.jsonl.gz"}) {
    CAPTURE(name);
    const Outcome run =
        traces.run("[router]\nreplay = true\nskew = \"" + std::string(name) + "\"\n");
    CAPTURE(run.err);
    CHECK(run.status == 0);
    // Every trace has a hot expert; the balanced router has not.
    CHECK(says(read_file(traces.folder / "run/experts.csv"), "layer,expert,"));
  }
}

TEST_CASE("a bad trace or a missing one exits 2 with file, line and reason") {
  const Traces traces;
  const Outcome wrong =
      run_program({"import", "trace", traces / "load.csv", "--model", "deepseek-v3", "--fit"});
  CHECK(wrong.status == 2);
  CHECK(says(wrong.err, "load.csv"));
  const Outcome dense =
      run_program({"import", "trace", traces / "load.csv", "--model", "llama-3.3-70b"});
  CHECK(dense.status == 2);
  CHECK(says(dense.err, "dense"));
  const Outcome unfit = run_program({"import", "trace", traces / "load.csv", "--fit"});
  CHECK(unfit.status == 2);
  CHECK(says(unfit.err, "--top-k"));
  const Outcome absent = traces.run("[router]\nskew = \"nowhere.csv\"\n");
  CHECK(absent.status == 2);
  CHECK(says(absent.err, "there is no file 'nowhere.csv'"));
  CHECK(says(absent.err, "scenario.toml:"));
  const Outcome preset = traces.run("[router]\nreplay = true\n");
  CHECK(preset.status == 2);
  CHECK(says(preset.err, "no trace that could be replayed"));
}
