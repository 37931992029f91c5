#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "calibrate/import/import.hpp"
#include "calibrate/table.hpp"
#include "sim/base/diagnostics.hpp"

namespace moesim {

namespace {

std::vector<std::string> words(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

[[noreturn]] void nothing_found(const std::string& file, int line, const std::string& what) {
  throw InputError({{Severity::error,
                     {file, line, 0, ""},
                     what,
                     "the output of an nccl-tests program such as alltoall_perf",
                     ""}});
}

// The columns, from the header to the units below it.
struct Header {
  std::vector<std::string> columns;
  double seconds_per_unit = 1e-3;  // 2017: milliseconds, and no line of units

  [[nodiscard]] bool known() const { return !columns.empty(); }

  // Index of the n-th column of that name in a row of `cells` cells. Programs without a
  // reduction leave its column (and the root's) blank, so a row may be shorter.
  [[nodiscard]] int find(std::string_view name, int nth, std::size_t cells) const {
    std::vector<std::string> present = columns;
    for (const char* blank : {"redop", "op", "root"}) {
      if (present.size() <= cells) break;
      std::erase(present, blank);
    }
    for (std::size_t i = 0; i < present.size(); ++i) {
      if (present[i] == name && nth-- == 0) return static_cast<int>(i);
    }
    return -1;
  }
};

// "alltoall_perf" in the first lines, where a command or the program's name is echoed.
std::string op_of(std::string_view text) {
  const auto at = text.find("_perf");
  if (at == std::string_view::npos) return "alltoall";
  auto from = at;
  while (from > 0 && (std::isalpha(static_cast<unsigned char>(text[from - 1])) != 0 ||
                      text[from - 1] == '_')) {
    --from;
  }
  return std::string(text.substr(from, at - from));
}

std::vector<CollectivePoint> import_text(const std::string& file, std::string_view text) {
  std::vector<CollectivePoint> points;
  Diagnostics wrong;
  Header header;
  const std::string op = op_of(text);
  int ranks = 0, number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    auto cells = words(line);
    if (cells.empty()) continue;
    if (cells[0].starts_with('#')) {
      if (cells[0] == "#") cells.erase(cells.begin());
      const auto has = [&](const char* w) {
        return std::find(cells.begin(), cells.end(), w) != cells.end();
      };
      if (has("Rank") && has("device")) ++ranks;
      if (has("time") && has("algbw")) header.columns = cells;
      if (has("(us)")) header.seconds_per_unit = 1e-6;
      continue;
    }
    const double bytes = parse_number(cells[0]);
    if (!(bytes >= 0)) continue;  // talk between the lines
    if (!header.known()) nothing_found(file, number, "numbers before the line of column names");
    for (const int nth : {0, 1}) {
      const int time = header.find("time", nth, cells.size());
      const int busbw = header.find("busbw", nth, cells.size());
      if (time < 0 || busbw < 0) continue;
      const auto value = [&](int i) {
        return static_cast<std::size_t>(i) < cells.size()
                   ? parse_number(cells[static_cast<std::size_t>(i)])
                   : NAN;
      };
      const double seconds = value(time) * header.seconds_per_unit;
      if (!(seconds >= 0) || !(value(busbw) >= 0)) {
        wrong.error({file, number, 1, std::string(line)}, "this line breaks off",
                    "size, time, algbw, busbw", "the output may be truncated");
        break;
      }
      points.push_back(
          {op, ranks, bytes, seconds, value(busbw) * 1e9, nth == 0 ? "" : "in place"});
    }
  }
  wrong.throw_if_errors();
  if (points.empty()) nothing_found(file, number, "no result line is here");
  return points;
}

std::vector<CollectivePoint> import_json(const std::string& file, std::string_view text) {
  std::vector<CollectivePoint> points;
  const auto root = nlohmann::json::parse(text, nullptr, false);
  const std::string op = op_of(text);
  if (root.is_discarded() || !root.contains("results") || !root["results"].is_array()) {
    nothing_found(file, 1, "this JSON is damaged or has no 'results'");
  }
  const auto ranks = root.contains("ranks") && root["ranks"].is_array()
                         ? static_cast<int>(root["ranks"].size())
                         : root.value("nranks", 0);
  for (const auto& result : root["results"]) {
    for (const char* place : {"out_of_place", "in_place"}) {
      if (!result.contains(place) || !result[place].is_object()) continue;
      const auto& timing = result[place];
      points.push_back({op, ranks, result.value("size", 0.0), timing.value("time", 0.0) * 1e-6,
                        timing.value("bus_bw", 0.0) * 1e9,
                        std::string_view(place) == "in_place" ? "in place" : ""});
    }
  }
  if (points.empty()) nothing_found(file, 1, "no result is in this JSON");
  return points;
}

}  // namespace

std::vector<CollectivePoint> import_nccl(const std::string& file, std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) nothing_found(file, 0, "this file is empty");
  return text[first] == '{' ? import_json(file, text) : import_text(file, text);
}

}  // namespace moesim
