#include "tools/report/csv_files.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "sim/base/csv.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "tests/report/sample.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  fs::path folder =
      fs::temp_directory_path() / ("moesim_report_test_" + std::to_string(::getpid()));
  ~Scratch() { fs::remove_all(folder); }
};

std::vector<std::vector<std::string>> rows_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::size_t from = 0;
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', from)) {
    rows.push_back(split_csv(text.substr(from, at - from)));
    from = at + 1;
  }
  return rows;
}

}  // namespace

TEST_CASE("a table has as many cells in each line as in its header") {
  const Result r = sample_result();
  Timeline timeline(
      {{"queue,length", SeriesKind::level}, {"balancedness", SeriesKind::sample}});
  timeline.set(0, Seconds{0}, 3);
  timeline.sample(1, Seconds{0.5}, 0.5);
  timeline.close(Seconds{1});
  for (const std::string& text :
       {gpus_csv(r), links_csv(r), experts_csv(r), layers_csv(r), timeline_csv(timeline)}) {
    const auto rows = rows_of(text);
    INFO(text);
    REQUIRE(rows.size() > 1);
    for (const auto& row : rows) CHECK(row.size() == rows[0].size());
  }
  CHECK(rows_of(gpus_csv(r))[2][0] == "node0,gpu1");
  CHECK(rows_of(timeline_csv(timeline))[0][1] == "queue,length");
  CHECK(rows_of(timeline_csv(timeline))[1][2].empty());
}

TEST_CASE("a run's folder has every file, and requests keep their tenants' names") {
  const Scratch scratch;
  const Recorder recorder = sample_recorder();
  write_results(scratch.folder / "deep" / "run", sample_result(), recorder, nullptr, nullptr);
  for (const char* name :
       {"result.json", "requests.csv", "gpus.csv", "links.csv", "experts.csv", "layers.csv"}) {
    CHECK(fs::exists(scratch.folder / "deep" / "run" / name));
  }
  const auto rows = rows_of(read_file(scratch.folder / "deep" / "run" / "requests.csv"));
  REQUIRE(rows.size() == 5);
  CHECK(rows[1][1] == "<script>");
  CHECK(rows[2][1] == "a,\"b\"");
  CHECK(rows[1][3] == "0");
  CHECK(rows[2][3] == "1");
  CHECK(rows[2][6] == "1");
  CHECK(rows[4][2] == "shed");
  CHECK(rows[4][6].empty());
  CHECK(rows[4][8].empty());
}

TEST_CASE("with blame, a request's causes add up to its latency in the file too") {
  const Scratch scratch;
  fs::create_directories(scratch.folder);
  Recorder recorder({.requests = 1});
  Blame blame(1);
  recorder.arrived(RequestId(0), Seconds{1}, 0, 8, 1);
  recorder.first_scheduled(RequestId(0), Seconds{2}, 0);
  blame.enters(RequestId(0), 0, Seconds{1}, Seconds{2});
  CauseSeconds seconds;
  seconds[Cause::attention] = 0.7;
  blame.step(0, Seconds{2}, Seconds{3}, seconds, {});
  recorder.first_token(RequestId(0), Seconds{3});
  blame.first_token(RequestId(0), Seconds{3});
  recorder.finished(RequestId(0), Seconds{3});
  blame.finished(RequestId(0), Seconds{3});
  write_requests_csv(scratch.folder / "requests.csv", recorder, &blame);
  const auto rows = rows_of(read_file(scratch.folder / "requests.csv"));
  REQUIRE(rows[1].size() == rows[0].size());
  double sum = 0;
  for (std::size_t c = rows[0].size() - kCauses; c < rows[0].size(); ++c) {
    sum += std::stod(rows[1][c]);
  }
  CHECK(sum == Approx(std::stod(rows[1][8])).epsilon(1e-9));
}

TEST_CASE("a folder that cannot be made is a world error that names it") {
  const Scratch scratch;
  fs::create_directories(scratch.folder);
  write_file(scratch.folder / "file", "x");
  CHECK_THROWS_AS(write_results(scratch.folder / "file" / "run", sample_result(),
                                sample_recorder(), nullptr, nullptr),
                  WorldError);
}
