#include "tools/report/html.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "tests/report/sample_run.hpp"
#include "tools/report/assets.hpp"
#include "tools/report/child.hpp"
#include "tools/report/plot.hpp"
#include "tools/report/result_json.hpp"

using namespace moesim;

namespace {

constexpr SampleSize kSmall{2, 4, 16, Seconds{60}};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

std::string embedded(const std::string& html, const std::string& id) {
  const std::string begin = "<script type=\"application/json\" id=\"data-" + id + "\">";
  const std::size_t from = html.find(begin) + begin.size();
  return html.substr(from, html.find("</script>", from) - from);
}

ReportText sample_text() {
  return {to_json(sample_result(kSmall)), series_json(sample_series(kSmall)),
          sample_scenario()};
}

// A folder that is gone when the test ends.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "moesim_html_test";
  Folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

bool cannot_plot() {
  const bool missing =
      plot_script().empty() || std::system("node --version >/dev/null 2>&1") != 0;
  if (missing) std::cout << "skipped: plots need node\n";
  return missing;
}

}  // namespace

TEST_CASE("the values embedded in a report are the run's values") {
  const ReportText text = sample_text();
  const std::string html = report_html(text);
  CHECK(nlohmann::json::parse(embedded(html, "result")) ==
        nlohmann::json::parse(text.result_json));
  CHECK(nlohmann::json::parse(embedded(html, "series")) ==
        nlohmann::json::parse(text.series_json));
  CHECK(nlohmann::json::parse(embedded(html, "scenario")) == text.scenario_toml);
}

TEST_CASE("a name that is markup cannot leave the data of a report") {
  Result result = sample_result(kSmall);
  result.scenario = "</script><script>alert(1)</script><!--";
  const std::string html =
      report_html({to_json(result), "{}", "# </script><img src=x onerror=alert(1)>"});
  // Three data elements and, where there are charts, the page's own script (else the plain
  // one).
  CHECK(count(html, "</script>") == 4);
  CHECK(count(html, "<!--") == 0);
  CHECK(count(html, "<img") == 0);
}

TEST_CASE("a report names no place in the network to fetch from") {
  const std::string html = report_html(sample_text());
  CHECK(html.find("src=\"http") == std::string::npos);
  CHECK(html.find("href=\"http") == std::string::npos);
  CHECK(html.find("default-src 'none'") != std::string::npos);
}

TEST_CASE("the report of 256 GPUs over an hour is smaller than 3 MB") {
  const std::string html =
      report_html({to_json(sample_result()), series_json(sample_series()), sample_scenario()});
  CHECK(html.size() < 3'000'000);
}

TEST_CASE("the report of 1,024 GPUs is smaller than 3 MB too") {
  const SampleSize large{128, 58, 256, Seconds{3600}};
  const std::string html = report_html(
      {to_json(sample_result(large)), series_json(sample_series(large)), sample_scenario()});
  INFO(html.size());
  CHECK(html.size() < 3'000'000);
}

TEST_CASE("a report made again from its folder is the same file") {
  const Folder folder;
  write_sample(folder.path, kSmall);
  CHECK(report_html(read_report(folder.path)) == read_file(folder.path / "report.html"));
  // The same values give the same bytes.
  const std::string first = read_file(folder.path / "report.html");
  write_sample(folder.path, kSmall);
  CHECK(read_file(folder.path / "report.html") == first);
}

TEST_CASE("a folder that holds no run is the user's mistake, with what is wrong") {
  const Folder folder;
  CHECK_THROWS_WITH(read_report(folder.path), Catch::Contains("there is no result.json in"));
  write_file(folder.path / "result.json", "{\"a\": ");
  CHECK_THROWS_WITH(read_report(folder.path), Catch::Contains("result.json is not JSON"));
  write_file(folder.path / "result.json", "[]");
  CHECK_THROWS_AS(read_report(folder.path), InputError);
}

TEST_CASE("a run without series still has a report") {
  const Folder folder;
  write_file(folder.path / "result.json", to_json(Result{}));
  CHECK(report_html(read_report(folder.path)).find("<html") != std::string::npos);
}

TEST_CASE("every chart of the report is drawn as SVG without a browser") {
  if (cannot_plot()) return;
  const ReportText text = sample_text();
  const auto plots = plot_all(text, {});
  CHECK(plots.size() == plot_names(text).size());
  CHECK(plots.size() >= 24);
  for (const auto& [name, svg] : plots) {
    INFO(name);
    CHECK(svg.starts_with("<svg"));
    CHECK(svg.ends_with("</svg>"));
    CHECK(svg.find("<script") == std::string::npos);
    // Names with quotes, "<" and "&" keep it well-formed.
    const ChildResult parsed = run_child(
        {"python3", "-c", "import sys, xml.etree.ElementTree as t; t.parse(sys.stdin.buffer)"},
        svg);
    CHECK(parsed.err == "");
    CHECK(svg.find("NaN") == std::string::npos);
    CHECK(count(svg, "<path") + count(svg, "<rect") > 3);
  }
  // The same values give the same picture.
  CHECK(plot_svg(text, "blame_e2el", {}) == plot_svg(text, "blame_e2el", {}));
}

TEST_CASE("an unknown chart is the user's mistake and names the near one") {
  if (cannot_plot()) return;
  const ReportText text = sample_text();
  CHECK_THROWS_WITH(
      plot_svg(text, "blame_e2e", {}),
      Catch::Contains("unknown chart 'blame_e2e'") && Catch::Contains("blame_e2el"));
  CHECK_THROWS_WITH(plot_svg({"{}", "{}", ""}, "gpu_time", {}),
                    Catch::Contains("recorded nothing for the chart 'gpu_time'"));
}

TEST_CASE("a chart becomes PNG") {
  if (cannot_plot() || std::system("rsvg-convert --version >/dev/null 2>&1") != 0) {
    std::cout << "skipped: PNG needs node and rsvg-convert\n";
    return;
  }
  const std::string png = plot_png(plot_svg(sample_text(), "queue", {}));
  CHECK(png.starts_with("\x89PNG"));
}

TEST_CASE("a child program's output and status come back, and a missing one says its name") {
  const ChildResult child = run_child({"sh", "-c", "cat; echo no >&2; exit 3"}, "text");
  CHECK(child.status == 3);
  CHECK(child.out == "text");
  CHECK(child.err == "no\n");
  CHECK_THROWS_WITH(run_child({"no-such-program"}, ""), Catch::Contains("no-such-program"));
}
