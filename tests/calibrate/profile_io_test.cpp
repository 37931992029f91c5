#include "calibrate/profile_io.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "calibrate/fit.hpp"
#include "calibrate/profiles.hpp"
#include "calibrate/show.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

fs::path scratch() {
  const fs::path folder = fs::temp_directory_path() / "moesim_profile_io_test";
  fs::create_directories(folder);
  return folder;
}

const fs::path kShipped = data_folder() / "calibrate" / "profiles";

// Reads a shipped profile whose files were changed; returns what is said.
std::string complaint(const std::function<void(std::string&, std::string&)>& damage) {
  std::string toml = read_file(kShipped / "a100-sxm/sglang.toml");
  std::string csv = read_file(kShipped / "a100-sxm/sglang.csv");
  damage(toml, csv);
  write_file(scratch() / "sglang.toml", toml);
  write_file(scratch() / "sglang.csv", csv);
  try {
    read_profile(scratch() / "sglang.toml");
  } catch (const InputError& problem) {
    return problem.what();
  }
  return "";
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("Every shipped profile is read and written again to the same bytes") {
  for (const std::string& name : shipped_profiles()) {
    INFO(name);
    const auto profile = load_profile(name);
    const fs::path copy = scratch() / fs::path(name + ".toml").filename();
    write_profile(copy, *profile);
    CHECK(read_file(copy) == read_file(kShipped / (name + ".toml")));
    CHECK(read_file(fs::path(copy).replace_extension(".csv")) ==
          read_file(kShipped / (name + ".csv")));
    CHECK(read_file(kShipped / (name + ".csv")).size() < 576 * 1024);
  }
}

TEST_CASE("A damaged profile is refused with file and line") {
  using Catch::Contains;
  CHECK(complaint([](auto&, auto&) {}).empty());
  CHECK_THAT(complaint([](auto& toml, auto&) { replace(toml, "schema = 3", "schema = 99"); }),
             Contains("sglang.toml:") && Contains("schema 99"));
  CHECK_THAT(complaint([](auto& toml, auto&) { replace(toml, "\"a100-sxm\"", "\"a999\""); }),
             Contains("sglang.toml:") && Contains("unknown GPU 'a999'"));
  CHECK_THAT(complaint([](auto& toml, auto&) { toml.resize(toml.size() / 2); }),
             Contains("sglang.toml:"));
  CHECK_THAT(complaint([](auto&, auto& csv) { csv.resize(csv.size() / 2); }),
             Contains("sglang.csv:"));
  CHECK_THAT(complaint([](auto&, auto& csv) { csv.resize(csv.rfind("\nattention") + 1); }),
             Contains("truncated"));
  CHECK_THAT(complaint([](auto& toml, auto&) { replace(toml, "tuned = [", "tuned = 5 # ["); }),
             Contains("sglang.toml:"));
  CHECK_THAT(complaint([](auto& toml, auto&) { replace(toml, "  [8, ", "  [0, "); }),
             Contains("sglang.toml:") && Contains("tuned"));
  CHECK_THAT(complaint([](auto&, auto& csv) {
               const auto line = csv.find("\nexperts,");
               auto cell = line;
               for (int comma = 0; comma < 9; ++comma) cell = csv.find(',', cell + 1);
               csv.insert(cell + 1, "dubious");
             }),
             Contains("sglang.csv:") && Contains("standing"));
  for (const char* value : {",nan ", ",-5 ", ",0 ", ",x "}) {
    CHECK_THAT(complaint([&](auto&, auto& csv) {
                 const auto line = csv.find("\nexperts,");
                 const auto weights = csv.rfind(',', csv.find('\n', line + 1));
                 const auto times = csv.rfind(',', weights - 1);
                 csv.replace(times, csv.find(' ', times) + 1 - times, value);
               }),
               Contains("sglang.csv:") && Contains("positive number"));
  }
}

TEST_CASE("A profile that cannot be written leaves nothing behind") {
  const auto profile = load_profile("a100-sxm/sglang");
  const fs::path nowhere = scratch() / "absent" / "p.toml";
  CHECK_THROWS_AS(write_profile(nowhere, *profile), WorldError);
  CHECK_FALSE(fs::exists(nowhere));
  for (const auto& file : fs::directory_iterator(scratch())) {
    CHECK(file.path().extension() != ".part");
  }
}

TEST_CASE("An unknown profile's name lists what there is and the nearest") {
  CHECK_THROWS_WITH(load_profile("h200-sxm/sglnag"), Catch::Contains("h200-sxm/sglang"));
}

TEST_CASE(
    "A measurement's collectives, energy and launch costs go through fit, file and show") {
  // T(1 KiB) = (10 + 30) / 2 us, the median of two; energy rows without joules are passed over.
  const fs::path folder = scratch();
  const std::string key = "system,framework,version,kernel_source,";
  const std::string nccl = "h200_sxm,moesim,2.21,nccl,";
  write_file(folder / "all_to_all_h200_sxm.csv",
             "# source: a test\n" + key + "ranks,pattern,bytes_per_rank,latency\n" + nccl +
                 "8,uniform,1024,0.01\n" + nccl + "8,uniform,1024,0.03\n" + nccl +
                 "8,uniform,1048576,0.05\n" + nccl + "8,incast,1024,0.06\n");
  write_file(folder / "energy_h200_sxm.csv",
             key + "operation,latency,joules,watts,loop_s,runs\n" +
                 "h200_sxm,moesim,12.4,cublaslt,gemm bf16 m=64 n=64 k=64,0.5,0.3,600,2,4000\n" +
                 "h200_sxm,moesim,12.4,cublaslt,copy bf16 bytes=64,0.5,,,,\n");
  write_file(folder / "memory_kernels_h200_sxm.csv",
             key + "op,bytes,latency\n" + "h200_sxm,moesim,12.4,own,graph_node,0,0.0015\n" +
                 "h200_sxm,moesim,12.4,own,stream_launch,0,0.004\n");
  const Fit fit =
      fit_profile({folder / "all_to_all_h200_sxm.csv", folder / "energy_h200_sxm.csv",
                   folder / "memory_kernels_h200_sxm.csv"},
                  {"h200-sxm", "moesim", Provenance::measured});
  const Profile& p = fit.profile;
  REQUIRE(p.exchanges.size() == 2);
  CHECK(p.exchanges[1].pattern == "uniform");
  CHECK(p.exchanges[1].bytes == std::vector<double>{1024, 1048576});
  CHECK(p.exchanges[1].seconds[0] == Approx(20e-6));
  REQUIRE(p.energy.size() == 1);
  CHECK(p.energy[0].joules == Approx(0.3));
  CHECK(p.memory.graph_node.value == Approx(1.5e-6));
  CHECK(p.memory.stream_launch.value == Approx(4e-6));
  write_profile(folder / "measured.toml", p);
  const Profile again = read_profile(folder / "measured.toml");
  CHECK(again.exchanges == p.exchanges);
  CHECK(again.energy == p.energy);
  CHECK(again.memory == p.memory);
  const std::string shown = show_profile(again);
  for (const char* words : {"8 ranks: 2 points", "600 W", "1.50 us in a graph"}) {
    INFO(shown);
    CHECK(shown.find(words) != std::string::npos);
  }
}

TEST_CASE("A collective without a time is told with its line") {
  const fs::path table = scratch() / "all_to_all_bad.csv";
  write_file(table,
             "system,framework,version,kernel_source,ranks,pattern,bytes_per_rank,latency\n"
             "h200_sxm,moesim,2.21,nccl,8,uniform,1024,nan\n");
  try {
    fit_profile({table}, {"h200-sxm", "moesim", Provenance::measured});
    FAIL("not noticed");
  } catch (const InputError& problem) {
    CHECK(std::string(problem.what()).find("all_to_all_bad.csv:2") != std::string::npos);
  }
}
