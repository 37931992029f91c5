// The store of a sweep.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "tools/fleet/figures.hpp"
#include "tools/fleet/store.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("moesim_store_test." + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

StoredRun run_at(int position, double value) {
  StoredRun run;
  run.position = position;
  run.hash = scenario_hash(std::to_string(position), "1");
  run.version = "1";
  run.done = true;
  run.settings = {"eplb", "4"};
  run.figures.assign(figure_catalog().size(), value);
  run.resolved = "name = \"it's \\\" quoted\"\n";
  return run;
}

const std::vector<std::string> kKeys{"placement.strategy", "odd \" key"};

}  // namespace

TEST_CASE("what is put is what is read, in the order of positions, whatever came first") {
  const Folder folder;
  const fs::path path = folder.path / "s.sqlite";
  {
    SweepStore store(path, "a 'name'", kKeys);
    for (const int p : {3, 0, 2}) store.put(run_at(p, 0.1 * p));
    StoredRun failed = run_at(1, std::numeric_limits<double>::quiet_NaN());
    failed.done = false;
    failed.error = "does not fit";
    store.put(failed);
    CHECK(store.finished().size() == 3);
  }
  const StoreContent content = SweepStore::read(path);
  CHECK(content.scenario == "a 'name'");
  CHECK(content.keys == kKeys);
  REQUIRE(content.runs.size() == 4);
  for (const int p : {0, 2, 3}) {
    CHECK(content.runs[static_cast<std::size_t>(p)] == run_at(p, 0.1 * p));
  }
  CHECK(content.runs[1].error == "does not fit");
  CHECK(std::isnan(content.runs[1].figures[0]));
}

TEST_CASE("a position is replaced, and a store of other keys or another file is refused") {
  const Folder folder;
  const fs::path path = folder.path / "s.sqlite";
  SweepStore(path, "s", kKeys).put(run_at(0, 1));
  SweepStore(path, "s", kKeys).put(run_at(0, 2));
  CHECK(SweepStore::read(path).runs.front().figures.front() == 2);
  CHECK_THROWS_AS(SweepStore(path, "s", {"other"}), InputError);
  write_file(folder.path / "x.toml", "no database at all, but a text that is long enough\n");
  CHECK_THROWS_AS(SweepStore(folder.path / "x.toml", "s", kKeys), InputError);
  CHECK_THROWS_AS(SweepStore::read(folder.path / "x.toml"), InputError);
}

TEST_CASE("shards in several files are read as one store") {
  const Folder folder;
  SweepStore(folder.path / "1", "s", kKeys).put(run_at(0, 1));
  SweepStore(folder.path / "2", "s", kKeys).put(run_at(1, 2));
  const StoreContent all = read_stores({folder.path / "2", folder.path / "1"});
  REQUIRE(all.runs.size() == 2);
  CHECK(all.runs[0] == run_at(0, 1));
  SweepStore(folder.path / "3", "s", {"other", "key"});
  CHECK_THROWS_AS(read_stores({folder.path / "1", folder.path / "3"}), InputError);
}

TEST_CASE("the hash tells scenarios and versions apart") {
  CHECK(scenario_hash("a", "1") == scenario_hash("a", "1"));
  CHECK(scenario_hash("a", "1") != scenario_hash("a", "2"));
  CHECK(scenario_hash("a", "1") != scenario_hash("b", "1"));
  CHECK(scenario_hash("a1", "") != scenario_hash("a", "1"));
  CHECK(scenario_hash("a", "1").size() == 32);
}
