// One small scenario per fabric, transport and feature ends as it did when it was last blessed.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sim/base/files.hpp"
#include "tests/cli/program.hpp"
#include "tests/golden/fingerprint.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

namespace fs = std::filesystem;

const fs::path kGolden = MOESIM_SOURCE "/tests/golden";
const fs::path kBlessed = kGolden / "fingerprints.txt";

Fingerprint run_scenario(const fs::path& file) {
  const fs::path folder = fs::temp_directory_path() / ("moesim_golden." + file.stem().string());
  fs::remove_all(folder);
  const Outcome run = run_program({"run", file, "-o", folder});
  CAPTURE(file, run.err);
  REQUIRE(run.status == 0);
  Fingerprint out = fingerprint_of(read_file(folder / "result.json"));
  fs::remove_all(folder);
  return out;
}

}  // namespace

TEST_CASE("Every golden scenario ends as it was blessed; what moved is named") {
  Fingerprints now;
  for (const fs::directory_entry& file : fs::directory_iterator(kGolden / "scenarios")) {
    now[file.path().stem()] = run_scenario(file.path());
  }
  if (std::getenv("MOESIM_BLESS") != nullptr) {
    std::ofstream(kBlessed) << to_text(now);
    return;
  }
  Fingerprints blessed = read_fingerprints(read_file(kBlessed));
  std::string differences;
  for (const auto& [scenario, figures] : now) {
    differences += moved(scenario, blessed[scenario], figures);
  }
  for (const auto& [scenario, figures] : blessed) {
    if (now.count(scenario) == 0) differences += scenario + ": is no scenario any more\n";
  }
  INFO(differences << "If that is meant: tools/dev/bless, and the reason in the commit.");
  CHECK(differences.empty());
}

TEST_CASE("A fingerprint names what moved, from what to what, and survives its file") {
  const Fingerprints was{{"a", {{"ttft.mean", "0.25"}, {"bytes", "00ff"}}}};
  CHECK(read_fingerprints(to_text(was)) == was);
  CHECK(moved("a", was.at("a"), was.at("a")).empty());
  CHECK(moved("a", was.at("a"), {{"ttft.mean", "0.26"}, {"bytes", "00ff"}}) ==
        "a: ttft.mean was 0.25, is 0.26\n");
  CHECK(moved("a", {}, {{"bytes", "00ff"}}) == "a: bytes was nothing, is 00ff\n");
}
