#include "tools/report/series.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "sim/base/errors.hpp"
#include "sim/base/rng.hpp"
#include "tools/report/sparkline.hpp"

using namespace moesim;

namespace {

Grid numbered(std::size_t rows, std::size_t columns) {
  Grid grid{
      {"GPU", "", rows, 0, 1, {}}, {"time", "s", columns, 0, 10, {}}, "load", "ratio", {}};
  for (std::size_t i = 0; i < rows * columns; ++i) {
    grid.values.push_back(static_cast<double>(i % 37));
  }
  return grid;
}

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

TEST_CASE("a binned grid keeps the sum, the largest value and the extent of its axes") {
  const Grid grid = numbered(1000, 777);
  const Grid small = bin_grid(grid, 256, 180, Join::sum);
  CHECK(small.rows.size <= 256);
  CHECK(small.columns.size <= 180);
  CHECK(sum(small.values) == Approx(sum(grid.values)));
  CHECK(small.columns.step == 50);  // 777 columns of 10 s, five to one
  const Grid peak = bin_grid(grid, 256, 180, Join::max);
  CHECK(*std::max_element(peak.values.begin(), peak.values.end()) == 36);
}

TEST_CASE("a grid that fits is not touched") {
  const Grid grid = numbered(64, 60);
  CHECK(bin_grid(grid, 256, 180, Join::mean).values == grid.values);
}

TEST_CASE("no data stays no data, and is left out of a mean") {
  const double none = std::numeric_limits<double>::quiet_NaN();
  Track track;
  track.values = {1, none, 3, none, none, none};
  const Track half = bin_track(track, 3);
  CHECK(half.values[0] == 1);
  CHECK(half.values[1] == 3);
  CHECK(std::isnan(half.values[2]));
  CHECK(half.bin.value == 2);
}

TEST_CASE("a distribution's points are its order statistics, from the least to the largest") {
  // 1 .. 1001: quantile p is 1 + 1000 p.
  std::vector<double> values(1001);
  std::iota(values.rbegin(), values.rend(), 1.0);
  const Cdf cdf = cdf_of("ttft", values);
  REQUIRE(cdf.values.size() == cdf.levels.size());
  CHECK(cdf.values.front() == 1);
  CHECK(cdf.values.back() == 1001);
  for (std::size_t i = 0; i < cdf.levels.size(); ++i) {
    CHECK(cdf.values[i] == Approx(1 + 1000 * cdf.levels[i]));
  }
  CHECK(cdf_of("ttft", {}).values.empty());
}

TEST_CASE("a grid that does not fill its axes breaks a law") {
  ReportSeries series;
  series.gpu_time = numbered(8, 8);
  series.gpu_time.values.pop_back();
  CHECK_THROWS_AS(series_json(series), BrokenLaw);
}

TEST_CASE(
    "series are JSON with four digits, null for no data, and names that are not UTF-8 mended") {
  ReportSeries series;
  Track track;
  track.name = "queue";
  track.label = "bad \xff name";
  track.values = {1.0 / 3, std::numeric_limits<double>::quiet_NaN(), 12};
  series.tracks = {track};
  const auto json = nlohmann::json::parse(series_json(series));
  CHECK(json["tracks"][0]["values"].dump() == "[0.3333,null,12]");
  CHECK(json["tracks"][0]["label"] == "bad \xEF\xBF\xBD name");
}

TEST_CASE("a sparkline rises with its values and fits its width") {
  const std::vector<double> ramp = {0, 1, 2, 3, 4, 5, 6, 7};
  CHECK(sparkline(ramp, 8) == "▁▂▃▄▅▆▇█");
  // Pairs average to .5, 2.5, 4.5, 6.5: eighths 0, 3, 5 and 8 (the top bar) of 6.5.
  CHECK(sparkline(ramp, 4) == "▁▄▆█");
  CHECK(sparkline(std::vector<double>{}, 8).empty());
  CHECK(sparkline(std::vector<double>{2, 2}, 8) == "██");
  CHECK(sparkline(std::vector<double>{0, 0}, 8) == "▁▁");
}

TEST_CASE("sparklines name each series and its range with the unit") {
  Track queue;
  queue.name = "queue";
  queue.label = "Requests waiting";
  queue.unit = "requests";
  queue.values = {0, 1, 2, 3, 4, 5, 6, 7};
  Track empty;
  empty.name = "nothing";
  CHECK(sparklines(std::vector{queue, empty}, 8) ==
        "Requests waiting  ▁▂▃▄▅▆▇█  0 .. 7 requests\n");
}
