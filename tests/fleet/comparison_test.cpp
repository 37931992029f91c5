// Paired comparisons, formula first.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "sim/base/registry.hpp"
#include "sim/metrics/intervals.hpp"
#include "tools/fleet/comparison.hpp"

using namespace moesim;

namespace {

// values[variant][replication][figure] with one figure set and the others 1.
std::vector<std::vector<std::vector<double>>> values_of(
    std::string_view tag, const std::vector<std::vector<double>>& of_variant) {
  std::vector<std::vector<std::vector<double>>> values;
  for (const auto& replications : of_variant) {
    values.emplace_back();
    for (const double v : replications) {
      values.back().emplace_back(figure_catalog().size(), 1.0);
      values.back().back()[figure_index(tag)] = v;
    }
  }
  return values;
}

}  // namespace

TEST_CASE("the ratio's interval is that of the paired differences over the first's mean") {
  // d = (-1, -2, -3): mean -2, s = 1, half width t(2) s / sqrt 3; the first's mean is 20.
  const auto rows = compare(values_of("ttft_p99", {{10, 20, 30}, {9, 18, 27}}));
  const Compared& c = rows[figure_index("ttft_p99")].variants[1];
  const double half = t_quantile(0.95, 2) / std::sqrt(3.0);
  REQUIRE(c.interval.has_value());
  CHECK(c.ratio == Approx(18.0 / 20));
  CHECK(c.interval->low == Approx(1 + (-2 - half) / 20));
  CHECK(c.interval->high == Approx(1 + (-2 + half) / 20));
  CHECK_FALSE(c.real);  // half is 2.48
}

TEST_CASE("common random numbers tell apart what unpaired means could not") {
  // The seeds differ by far more than the variants do.
  const auto rows = compare(values_of("tpot_p99", {{10, 50, 90, 20}, {9.0, 48.9, 89.1, 19.0}}));
  CHECK(rows[figure_index("tpot_p99")].variants[1].real);
  CHECK_FALSE(rows[figure_index("ttft_p99")].variants[1].real);  // equal everywhere
}

TEST_CASE("the verdict says what is better, worse or not told apart, by each figure's sense") {
  Comparison c{"s", "k", {"a", "b"}, 3, {}, false};
  c.rows = compare(values_of("goodput", {{10, 11, 12}, {5, 6, 7}}));
  CHECK(verdicts(c).front() == "b against a: really worse in Goodput -45.5 %");
  c.rows = compare(values_of("ttft_p99", {{10, 11, 12}, {5, 6, 7}}));
  CHECK(verdicts(c).front() == "b against a: really better in TTFT p99 -45.5 %");
  c.rows = compare(values_of("ttft_p99", {{10, 11, 12}, {10, 11, 12}}));
  CHECK(verdicts(c).front() == "b against a: no real difference in 3 replications");
}

TEST_CASE("one replication, or a figure that a run lacks, has no interval and is never real") {
  const double none = std::numeric_limits<double>::quiet_NaN();
  for (const auto& values :
       {values_of("itl_p99", {{1}, {2}}), values_of("itl_p99", {{1, 2, 3}, {2, none, 4}})}) {
    const Compared& c = compare(values)[figure_index("itl_p99")].variants[1];
    CHECK_FALSE(c.interval.has_value());
    CHECK_FALSE(c.real);
  }
}

TEST_CASE("every format shows every metric and every variant") {
  Comparison c{"s", "placement.strategy", {"linear", "ep|lb"}, 2, {}, false};
  c.rows = compare(values_of("ttft_p99", {{1, 2}, {2, 4}}));
  for (const auto& format : comparison_formats()) {
    CAPTURE(format.name);
    const std::string text = format.make(c);
    CHECK(text.find("linear") != std::string::npos);
    CHECK(text.find(format.name == "markdown" ? "ep\\|lb" : "ep|lb") != std::string::npos);
    for (const Figure& figure : figure_catalog()) {
      const bool coded = format.name == "json" || format.name == "csv";
      CHECK(text.find(coded ? figure.tag : figure.header) != std::string::npos);
    }
  }
}
