// The store of a sweep: one SQLite file with one table `runs`, a line per run, a column per
// varied key and per figure (base units), so that anybody can ask it in SQL:
//
//   SELECT "placement.strategy", tpot_p99 FROM runs WHERE status = 'done';
//
// Its content is a function of the sweep alone: not of the order in which runs ended, nor of
// interruptions. Every run is one transaction, so a killed sweep keeps what had finished.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moesim {

struct StoredRun {
  int position = 0;  // in the grid
  std::string hash;  // of the resolved scenario and the version
  std::string version;
  bool done = false;  // else it failed
  std::string error;  // why
  bool slo_met = true;
  std::vector<std::string> settings;  // of each key
  std::vector<double> figures;        // in the catalog's order; NaN where there is none
  std::string resolved;               // resolved.toml

  friend bool operator==(const StoredRun&, const StoredRun&) = default;
};

struct StoreContent {
  std::string scenario;
  std::vector<std::string> keys;
  std::vector<StoredRun> runs;  // by position
};

class SweepStore {
 public:
  // Makes the file, or opens it for more of the same sweep. Throws InputError when it holds
  // another sweep or is no store, WorldError when it cannot be written.
  SweepStore(const std::filesystem::path& path, const std::string& scenario,
             const std::vector<std::string>& keys);
  ~SweepStore();

  // Replaces what is at the run's position; on the disk when it returns. Throws WorldError.
  void put(const StoredRun& run);
  // Hashes of the runs that are done, by position.
  [[nodiscard]] std::vector<std::pair<int, std::string>> finished() const;

  // Throws InputError when it is no store.
  static StoreContent read(const std::filesystem::path& path);

 private:
  class Database;
  std::unique_ptr<Database> database_;
};

// Of several shards, as one: the same sweep, a position from the last store that has it.
StoreContent read_stores(const std::vector<std::filesystem::path>& paths);

// 32 hexadecimal digits.
std::string scenario_hash(std::string_view resolved, std::string_view version);

}  // namespace moesim
