#include "tools/report/html.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "tools/report/assets.hpp"
#include "tools/report/result_json.hpp"

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

// "<" and "&" only occur inside JSON strings, where \u003c means the same and ends no element.
std::string in_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else if (c == '&') {
      out += "\\u0026";
    } else {
      out += c;
    }
  }
  return out;
}

std::string data(std::string_view id, std::string_view json) {
  return fmt::format("<script type=\"application/json\" id=\"data-{}\">{}</script>\n", id,
                     in_script(json));
}

constexpr std::string_view kHead =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:\">\n"
    "<meta name=\"generator\" content=\"moesim\">\n<link rel=\"icon\" href=\"data:,\">\n"
    "<title>moesim report</title>\n";

// For a program that was built without the charts: the values, readable.
constexpr std::string_view kPlain =
    "<h1>moesim report</h1>\n<p>This moesim was built without node and npm, so it has no "
    "charts. These are the run's values; <code>moesim report DIR</code> of a complete build "
    "draws them.</p>\n<pre id=\"plain\"></pre>\n<script>document.getElementById('plain')"
    ".textContent = "
    "document.querySelector('[type=\"application/json\"]').textContent;</script>\n";

// Throws InputError naming the file and the place in it.
void check_json(const std::filesystem::path& path, const std::string& text) {
  try {
    if (Json::parse(text).is_object()) return;
  } catch (const Json::parse_error& e) {
    throw InputError(fmt::format("{} is not JSON: {}", path.string(), e.what()),
                     "a file that moesim wrote");
  }
  throw InputError(fmt::format("{} is not a JSON object", path.string()),
                   "a file that moesim wrote");
}

}  // namespace

std::string page_html(std::string_view script, const std::vector<PageData>& values) {
  std::string out(kHead);
  out += fmt::format("<style>{}</style>\n</head>\n<body>\n", page_style());
  for (const PageData& value : values) out += data(value.id, value.json);
  if (script.empty()) {
    out += kPlain;
  } else {
    out += "<noscript>This report draws its charts with JavaScript.</noscript>\n<script>";
    out += script;
    out += "</script>\n";
  }
  out += "</body>\n</html>\n";
  return out;
}

std::string report_html(const ReportText& text) {
  return page_html(
      page_script(),
      {{"result", text.result_json},
       {"series", text.series_json.empty() ? "{}" : text.series_json},
       {"scenario",
        Json(text.scenario_toml).dump(-1, ' ', false, Json::error_handler_t::replace)}});
}

ReportText read_report(const std::filesystem::path& folder) {
  const auto result = folder / "result.json";
  if (!std::filesystem::exists(result)) {
    throw InputError(fmt::format("there is no result.json in {}", folder.string()),
                     "the folder of a run, as `moesim run FILE -o DIR` writes it");
  }
  ReportText text;
  text.result_json = read_file(result);
  check_json(result, text.result_json);
  const auto series = folder / "series.json";
  if (std::filesystem::exists(series)) {
    text.series_json = read_file(series);
    check_json(series, text.series_json);
  } else {
    text.series_json = "{}";
  }
  const auto scenario = folder / "resolved.toml";
  if (std::filesystem::exists(scenario)) text.scenario_toml = read_file(scenario);
  return text;
}

void write_report(const std::filesystem::path& folder, const Result& result,
                  const ReportSeries& series, const std::string& scenario_toml) {
  const ReportText text{to_json(result), series_json(series), scenario_toml};
  write_file(folder / "series.json", text.series_json);
  write_file(folder / "report.html", report_html(text));
}

}  // namespace moesim
