// report.html: one file that explains a run, opens without a network, and is a function of the
// run's values alone.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tools/report/result.hpp"
#include "tools/report/series.hpp"

namespace moesim {

// What a report is made from, as a run's folder holds it.
struct ReportText {
  std::string result_json;    // result.json
  std::string series_json;    // series.json; "{}" where there is none
  std::string scenario_toml;  // resolved.toml; empty where there is none
};

// A value that a page's script finds as JSON in the element "data-ID".
struct PageData {
  std::string id;
  std::string json;
};

// One self-contained file: a bundled script and the values it draws. An empty script: the first
// value as text.
std::string page_html(std::string_view script, const std::vector<PageData>& values);

// The page. Text from scenarios and traces stays text: JSON in a script element cannot close
// it.
std::string report_html(const ReportText& text);

// Reads a run's folder. Throws InputError when it is not one (no result.json, or not JSON).
ReportText read_report(const std::filesystem::path& folder);

// Writes series.json and report.html into the run's folder. Throws WorldError.
void write_report(const std::filesystem::path& folder, const Result& result,
                  const ReportSeries& series, const std::string& scenario_toml);

}  // namespace moesim
