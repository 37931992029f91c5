#include "tools/fleet/store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <limits>
#include <map>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "tools/fleet/figures.hpp"

namespace moesim {

namespace {

constexpr int kFormat = 1;
constexpr int kFixed = 7;  // columns before the keys

std::string sql_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + "\"";
}

std::string column_names(const std::vector<std::string>& keys) {
  std::string names = "position, hash, version, status, error, slo_met, resolved";
  for (const std::string& key : keys) names += ", " + sql_name(key);
  for (const Figure& figure : figure_catalog()) names += fmt::format(", {}", figure.tag);
  return names;
}

std::string create_runs(const std::vector<std::string>& keys) {
  std::string sql =
      "CREATE TABLE IF NOT EXISTS runs (position INTEGER PRIMARY KEY, hash TEXT NOT NULL, "
      "version TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL, slo_met INTEGER NOT "
      "NULL, resolved TEXT NOT NULL";
  for (const std::string& key : keys) sql += ", " + sql_name(key) + " TEXT NOT NULL";
  for (const Figure& figure : figure_catalog()) sql += fmt::format(", {} REAL", figure.tag);
  return sql + ")";
}

}  // namespace

class SweepStore::Database {
 public:
  enum class Mode { read, write };
  Database(const std::filesystem::path& path, Mode mode) : path_(path.string()) {
    const int flags =
        mode == Mode::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path_.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
      const std::string why = sqlite3_errmsg(handle_);
      sqlite3_close(handle_);
      throw WorldError(fmt::format("cannot open {}: {}", path_, why));
    }
    sqlite3_busy_timeout(handle_, 60'000);  // another shard may be writing
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const std::string& sql) { Query(*this, sql).step(); }

  // A statement: bind in order, step to each line, read its columns.
  class Query {
   public:
    Query(Database& database, const std::string& sql) : database_(database) {
      database.check(
          sqlite3_prepare_v2(database.handle_, sql.c_str(), -1, &statement_, nullptr));
    }
    ~Query() { sqlite3_finalize(statement_); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    void bind(const std::string& text) {
      sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                        SQLITE_TRANSIENT);
    }
    void bind(int number) { sqlite3_bind_int(statement_, ++bound_, number); }
    void bind(double number) {
      sqlite3_bind_double(statement_, ++bound_, number);
    }  // NaN: NULL
    bool step() {
      const int status = sqlite3_step(statement_);
      if (status != SQLITE_ROW && status != SQLITE_DONE) database_.check(status);
      return status == SQLITE_ROW;
    }
    [[nodiscard]] int integer(int column) { return sqlite3_column_int(statement_, column); }
    [[nodiscard]] double number(int column) {
      return sqlite3_column_type(statement_, column) == SQLITE_NULL
                 ? std::numeric_limits<double>::quiet_NaN()
                 : sqlite3_column_double(statement_, column);
    }
    [[nodiscard]] std::string text(int column) {
      const auto* bytes =
          reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
      return bytes == nullptr ? std::string() : std::string(bytes, size);
    }

   private:
    Database& database_;
    sqlite3_stmt* statement_ = nullptr;
    int bound_ = 0;
  };

  void check(int status) {
    if (status == SQLITE_OK) return;
    const std::string why = sqlite3_errmsg(handle_);
    if (status == SQLITE_NOTADB || status == SQLITE_ERROR) {
      throw InputError(fmt::format("{} is no store of a sweep: {}", path_, why),
                       "a file that `moesim sweep` wrote");
    }
    throw WorldError(fmt::format("{}: {}", path_, why));
  }

  [[nodiscard]] StoreContent about() {
    StoreContent content;
    Query format(*this, "SELECT value FROM about WHERE name = 'format'");
    if (!format.step() || format.text(0) != std::to_string(kFormat)) {
      throw InputError(fmt::format("{} has another format than this moesim's", path_),
                       fmt::format("format {}", kFormat));
    }
    Query name(*this, "SELECT value FROM about WHERE name = 'scenario'");
    if (name.step()) content.scenario = name.text(0);
    Query keys(*this, "SELECT key FROM keys ORDER BY number");
    while (keys.step()) content.keys.push_back(keys.text(0));
    return content;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  static StoreContent read(const std::filesystem::path& path) {
    Database database(path, Mode::read);
    StoreContent content = database.about();
    Query query(database, "SELECT " + column_names(content.keys) + " FROM runs ORDER BY 1");
    while (query.step()) {
      StoredRun run{.position = query.integer(0),
                    .hash = query.text(1),
                    .version = query.text(2),
                    .done = query.text(3) == "done",
                    .error = query.text(4),
                    .slo_met = query.integer(5) != 0,
                    .settings = {},
                    .figures = {},
                    .resolved = query.text(6)};
      int column = kFixed;
      for (std::size_t k = 0; k < content.keys.size(); ++k) {
        run.settings.push_back(query.text(column++));
      }
      for (std::size_t f = 0; f < figure_catalog().size(); ++f) {
        run.figures.push_back(query.number(column++));
      }
      content.runs.push_back(std::move(run));
    }
    return content;
  }

 private:
  std::string path_;
  sqlite3* handle_ = nullptr;
};

SweepStore::SweepStore(const std::filesystem::path& path, const std::string& scenario,
                       const std::vector<std::string>& keys)
    : database_(std::make_unique<Database>(path, Database::Mode::write)) {
  Database& db = *database_;
  db.run("BEGIN IMMEDIATE");
  db.run("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID");
  db.run("CREATE TABLE IF NOT EXISTS keys (number INTEGER PRIMARY KEY, key TEXT)");
  const bool is_new = !Database::Query(db, "SELECT 1 FROM about").step();
  if (is_new) {
    db.run(create_runs(keys));
    db.run(fmt::format("INSERT INTO about VALUES ('format', '{}')", kFormat));
    Database::Query name(db, "INSERT INTO about VALUES ('scenario', ?)");
    name.bind(scenario);
    name.step();
    for (const std::string& key : keys) {
      Database::Query insert(db, "INSERT INTO keys (key) VALUES (?)");
      insert.bind(key);
      insert.step();
    }
  }
  db.run("COMMIT");
  if (db.about().keys != keys) {
    throw InputError(fmt::format("{} holds a sweep over other keys", db.path()),
                     "the same --vary in the same order, or another -o");
  }
}

SweepStore::~SweepStore() = default;

void SweepStore::put(const StoredRun& run) {
  MOESIM_LAW(run.figures.size() == figure_catalog().size(), "a run has every figure");
  std::vector<std::string> keys = database_->about().keys;
  MOESIM_LAW(run.settings.size() == keys.size(), "a run has a value for every key");
  std::string marks = "?";
  for (std::size_t i = 1; i < kFixed + keys.size() + run.figures.size(); ++i) marks += ", ?";
  Database::Query query(*database_, fmt::format("INSERT OR REPLACE INTO runs ({}) VALUES ({})",
                                                column_names(keys), marks));
  query.bind(run.position);
  query.bind(run.hash);
  query.bind(run.version);
  query.bind(std::string(run.done ? "done" : "failed"));
  query.bind(run.error);
  query.bind(run.slo_met ? 1 : 0);
  query.bind(run.resolved);
  for (const std::string& value : run.settings) query.bind(value);
  for (const double value : run.figures) query.bind(value);
  query.step();
}

std::vector<std::pair<int, std::string>> SweepStore::finished() const {
  std::vector<std::pair<int, std::string>> all;
  Database::Query query(*database_,
                        "SELECT position, hash FROM runs WHERE status = 'done' ORDER BY 1");
  while (query.step()) all.emplace_back(query.integer(0), query.text(1));
  return all;
}

StoreContent SweepStore::read(const std::filesystem::path& path) {
  return Database::read(path);
}

StoreContent read_stores(const std::vector<std::filesystem::path>& paths) {
  MOESIM_LAW(!paths.empty(), "a report reads at least one store");
  StoreContent all = SweepStore::read(paths.front());
  std::map<int, StoredRun> runs;
  for (const std::filesystem::path& path : paths) {
    StoreContent one = SweepStore::read(path);
    if (one.keys != all.keys) {
      throw InputError(fmt::format("{} and {} are of different sweeps", paths.front().string(),
                                   path.string()),
                       "the shards of one sweep");
    }
    for (StoredRun& run : one.runs) runs[run.position] = std::move(run);
  }
  all.runs.clear();
  for (auto& [position, run] : runs) all.runs.push_back(std::move(run));
  return all;
}

// FNV-1a, 64 bits from two starts (Fowler, Noll, Vo; RFC draft-eastlake-fnv).
std::string scenario_hash(std::string_view resolved, std::string_view version) {
  const auto fnv = [&](std::uint64_t hash) {
    const auto add = [&](std::string_view text) {
      for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
      }
    };
    add(resolved);
    add(std::string_view("\0", 1));
    add(version);
    return hash;
  };
  return fmt::format("{:016x}{:016x}", fnv(0xcbf29ce484222325ULL), fnv(0x84222325cbf29ce4ULL));
}

}  // namespace moesim
