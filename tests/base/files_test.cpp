#include "sim/base/files.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "sim/base/csv.hpp"
#include "sim/base/errors.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  fs::path folder =
      fs::temp_directory_path() / ("moesim_files_test_" + std::to_string(::getpid()));
  Scratch() { fs::create_directories(folder); }
  ~Scratch() { fs::remove_all(folder); }
};

int files_in(const fs::path& folder) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a file is complete or absent") {
  const Scratch scratch;
  {
    FileWriter abandoned(scratch.folder / "a");
    abandoned.append("half");
    CHECK_FALSE(fs::exists(scratch.folder / "a"));
  }
  CHECK(files_in(scratch.folder) == 0);
  FileWriter whole(scratch.folder / "b");
  whole.append("one ");
  whole.append("two");
  whole.commit();
  CHECK(read_file(scratch.folder / "b") == "one two");
  write_file(scratch.folder / "b", "three");
  CHECK(read_file(scratch.folder / "b") == "three");
  CHECK(files_in(scratch.folder) == 1);
}

TEST_CASE("a place that cannot be written is a world error that names it") {
  const Scratch scratch;
  CHECK_THROWS_AS(write_file(scratch.folder / "no" / "such", "x"), WorldError);
  // The target is a folder: the draft does not stay behind.
  fs::create_directories(scratch.folder / "taken" / "inside");
  CHECK_THROWS_AS(write_file(scratch.folder / "taken", "x"), WorldError);
  CHECK(files_in(scratch.folder) == 1);
}

TEST_CASE("a full disk is a world error") {
  if (!fs::exists("/dev/full")) return;
  const Scratch scratch;
  fs::create_symlink("/dev/full",
                     scratch.folder / ("x." + std::to_string(::getpid()) + ".part"));
  CHECK_THROWS_AS(write_file(scratch.folder / "x", std::string(1 << 20, 'x')), WorldError);
}

TEST_CASE("a CSV cell reads back as it was") {
  for (const std::string text : {"plain", "a,\"b\"", "<script>", "", "two\nlines", "\""}) {
    const std::string line = csv_cell("first") + "," + csv_cell(text) + ",last";
    CHECK(split_csv(line) == std::vector<std::string>{"first", text, "last"});
  }
  CHECK(csv_cell("a,b") == "\"a,b\"");
  CHECK(csv_cell("plain") == "plain");
}
