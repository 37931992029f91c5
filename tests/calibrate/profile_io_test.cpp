#include "calibrate/profile_io.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "calibrate/profiles.hpp"
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
    CHECK(read_file(kShipped / (name + ".csv")).size() < 512 * 1024);
  }
}

TEST_CASE("A damaged profile is refused with file and line") {
  using Catch::Contains;
  CHECK(complaint([](auto&, auto&) {}).empty());
  CHECK_THAT(complaint([](auto& toml, auto&) { replace(toml, "schema = 1", "schema = 99"); }),
             Contains("sglang.toml:") && Contains("schema 99"));
  CHECK_THAT(complaint([](auto& toml, auto&) { replace(toml, "\"a100-sxm\"", "\"a999\""); }),
             Contains("sglang.toml:") && Contains("unknown GPU 'a999'"));
  CHECK_THAT(complaint([](auto& toml, auto&) { toml.resize(toml.size() / 2); }),
             Contains("sglang.toml:"));
  CHECK_THAT(complaint([](auto&, auto& csv) { csv.resize(csv.size() / 2); }),
             Contains("sglang.csv:"));
  CHECK_THAT(complaint([](auto&, auto& csv) { csv.resize(csv.rfind("\nattention") + 1); }),
             Contains("truncated"));
  for (const char* value : {",nan ", ",-5 ", ",0 ", ",x "}) {
    CHECK_THAT(complaint([&](auto&, auto& csv) {
                 const auto line = csv.find("\nexperts,");
                 const auto times = csv.rfind(',', csv.find('\n', line + 1));
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
