#include "tools/report/table.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "sim/base/csv.hpp"
#include "tests/report/sample.hpp"

using namespace moesim;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', from)) {
    lines.push_back(text.substr(from, at - from));
    from = at + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("columns are aligned: the first left, the others right") {
  CHECK(align({{"", "mean", "n"}, {"TTFT", "1.5", "1,000"}}) ==
        "      mean      n\nTTFT   1.5  1,000\n");
}

TEST_CASE("thousands are grouped") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-1234567) == "-1,234,567");
}

TEST_CASE(
    "the table says latencies, throughput, utilization, balance, busiest, SLOs and blame") {
  const std::string text = render_table(sample_result(), Color::off);
  for (const char* part :
       {"hot <tenant>: deepseek-v3 on 8 x hgx-h200", "TTFT (ms)", "1000.00", "E2E (ms)",
        "Requests     2 finished of 3, 1 shed, 1 more left out as warm-up",
        "GPUs 50.0 %, experts 25.0 %, links 12.5 %, flops 20.0 % of peak (dense baseline 40.0 "
        "%)",
        "balancedness 0.800", "GPU node0,gpu1 75.0 %", "link node0.nic0 -> leaf0 30.0 %",
        "queueing 75 %, expert straggler 25 % (most: node0,gpu1, layer 3 expert 7)",
        "SLO          ttft_p99 met: 1.00 s of 2.00 s", "tpot_p99 missed: 500 ms of 50.0 ms",
        "* fewer than 1,000 values"}) {
    INFO(part);
    INFO(text);
    CHECK(has(text, part));
  }
}

TEST_CASE("colour is only there when asked for, and names cannot bring their own") {
  Result r = sample_result();
  r.scenario = "red \x1b[31m";
  CHECK_FALSE(has(render_table(r, Color::off), "\x1b"));
  CHECK(has(render_table(r, Color::on), "\x1b[1m"));
  CHECK(has(render_table(r, Color::off), "red ?[31m"));
}

TEST_CASE("every format renders every result, also an empty one") {
  for (const auto& format : result_formats()) {
    INFO(format.name);
    CHECK_FALSE(render_as(format.name, sample_result(), Color::off).empty());
    CHECK_FALSE(render_as(format.name, Result{}, Color::off).empty());
  }
  CHECK_THROWS_AS(render_as("tabel", Result{}, Color::off), InputError);
}

TEST_CASE("csv has one line per metric with as many cells as its header") {
  const auto lines = lines_of(render_csv(sample_result()));
  REQUIRE(lines.size() == 1 + sample_result().summary.metrics.size());
  for (const auto& l : lines) CHECK(split_csv(l).size() == split_csv(lines[0]).size());
}

TEST_CASE("vllm's words and shape are kept") {
  const std::string text = render_vllm(sample_result());
  const auto lines = lines_of(text);
  CHECK(lines.front() == "============ Serving Benchmark Result ============");
  CHECK(lines.back() == std::string(50, '='));
  CHECK(has(text, "Successful requests:                     2         \n"));
  CHECK(has(text, "---------------Time to First Token----------------\n"));
  CHECK(has(text, "Mean TTFT (ms):                          1000.00   \n"));
  CHECK(has(text, "P99 TPOT (ms):                           500.00    \n"));
  CHECK(has(text, "Median E2EL (ms):                        3000.00   \n"));
}

TEST_CASE("names are text in markdown") {
  CHECK(has(render_markdown(sample_result()), "**hot \\<tenant\\>**"));
}
