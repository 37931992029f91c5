#include "sim/workload/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "sim/base/csv.hpp"
#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"

namespace moesim {

namespace {

constexpr std::size_t kMostFaults = 20;
enum Column { kArrival, kInput, kOutput, kTenant, kPriority, kPrefix, kColumns };
constexpr std::array<std::string_view, kColumns> kNames{
    "arrival_s", "input_tokens", "output_tokens", "tenant", "priority", "prefix"};
using Cells = std::array<std::optional<std::string>, kColumns>;

struct Lines {
  std::string_view text;
  int number = 0;
  std::string_view line;

  // The next line that is neither empty nor a comment.
  bool next() {
    while (!text.empty()) {
      const auto end = text.find('\n');
      line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      ++number;
      if (line.find_first_not_of(" \t") != std::string_view::npos && line[0] != '#')
        return true;
    }
    return false;
  }
};

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// A binary file must not write to the terminal through our messages.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return text;
}

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  void fault(const Lines& lines, std::string message, std::string expected) {
    const Place place{name_, lines.number, 1,
                      printable(std::string(lines.line.substr(0, 200)))};
    found_.error(place, printable(std::move(message)), std::move(expected));
    if (found_.all().size() >= kMostFaults) found_.throw_if_errors();
  }
  void finish() const { found_.throw_if_errors(); }

  void row(const Lines& lines, const Cells& cells, Trace& trace) {
    const auto read = [&](Column column, double least, double otherwise) {
      if (!cells[column]) return otherwise;
      const auto value = number(*cells[column]);
      if (value && *value >= least && *value < 9e15) return *value;
      fault(lines, fmt::format("{} is '{}'", kNames[column], *cells[column]),
            fmt::format("a number of at least {}", least));
      return otherwise;
    };
    TraceRow row;
    row.arrival = Seconds{read(kArrival, -8e15, 0)};
    row.input_tokens = static_cast<int>(std::min(read(kInput, 1, 1), 1e9));
    row.output_tokens = static_cast<int>(std::min(read(kOutput, 1, 1), 1e9));
    row.priority = static_cast<int>(std::clamp(read(kPriority, -1e9, 0), -1e9, 1e9));
    row.prefix = static_cast<std::uint64_t>(read(kPrefix, 0, 0));
    if (cells[kTenant] && !cells[kTenant]->empty()) {
      row.tenant = tenant(*cells[kTenant], trace.tenants);
    }
    trace.rows.push_back(row);
  }

 private:
  static int tenant(const std::string& name, std::vector<std::string>& names) {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) names.push_back(name);
    return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
  }

  std::string name_;
  Diagnostics found_;
};

void read_csv(Lines lines, Reader& reader, Trace& trace) {
  if (!lines.next()) return;
  const auto header = split_csv(lines.line);
  std::array<std::size_t, kColumns> where{};
  where.fill(header.size());
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto at = std::find(kNames.begin(), kNames.end(), header[i]);
    if (at != kNames.end()) where[static_cast<std::size_t>(at - kNames.begin())] = i;
  }
  for (const Column needed : {kArrival, kInput, kOutput}) {
    if (where[needed] < header.size()) continue;
    reader.fault(lines, fmt::format("the trace has no column '{}'", kNames[needed]),
                 "arrival_s,input_tokens,output_tokens in the first line");
  }
  reader.finish();
  while (lines.next()) {
    const auto values = split_csv(lines.line);
    if (values.size() != header.size()) {
      reader.fault(lines, fmt::format("{} cells", values.size()),
                   fmt::format("{} as in the first line", header.size()));
      continue;
    }
    Cells cells;
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (where[c] < values.size()) cells[c] = values[where[c]];
    }
    reader.row(lines, cells, trace);
  }
}

void read_json_lines(Lines lines, Reader& reader, Trace& trace) {
  while (lines.next()) {
    const auto object = nlohmann::json::parse(lines.line, nullptr, false);
    if (!object.is_object()) {
      reader.fault(lines, "is not a JSON object",
                   R"({"arrival_s": 0.5, "input_tokens": 900, )"
                   R"("output_tokens": 120})");
      continue;
    }
    Cells cells;
    for (std::size_t c = 0; c < kColumns; ++c) {
      const auto found = object.find(kNames[c]);
      if (found == object.end() || found->is_null()) {
        if (c > kOutput) continue;
        reader.fault(lines, fmt::format("has no '{}'", kNames[c]), "a number");
        continue;
      }
      cells[c] = found->is_string() ? found->get<std::string>() : found->dump();
    }
    reader.row(lines, cells, trace);
  }
}

}  // namespace

Trace parse_trace(std::string_view text, const std::string& name) {
  Trace trace;
  Reader reader(name);
  const Lines lines{.text = text, .line = {}};
  if (name.ends_with(".jsonl")) {
    read_json_lines(lines, reader, trace);
  } else {
    read_csv(lines, reader, trace);
  }
  reader.finish();
  if (trace.rows.empty()) {
    throw InputError(fmt::format("the trace {} has no requests", name), "at least one row");
  }
  std::stable_sort(trace.rows.begin(), trace.rows.end(),
                   [](const TraceRow& a, const TraceRow& b) { return a.arrival < b.arrival; });
  const Seconds first = trace.rows.front().arrival;
  for (TraceRow& row : trace.rows) row.arrival -= first;
  return trace;
}

Trace read_trace(const std::string& path) { return parse_trace(read_file(path), path); }

std::vector<WeightedLength> parse_lengths(std::string_view text, const std::string& name) {
  std::vector<WeightedLength> lengths;
  Reader reader(name);
  Lines lines{.text = text, .line = {}};
  for (bool first = true; lines.next(); first = false) {
    const auto cells = split_csv(lines.line);
    const auto tokens = number(cells[0]);
    const auto weight = cells.size() == 2 ? number(cells[1]) : std::nullopt;
    if (tokens && weight && *tokens >= 1 && *weight >= 0) {
      lengths.push_back({*tokens, *weight});
    } else if (!first) {
      reader.fault(lines, "is not a length with its weight", "as \"512,0.25\"");
    }
  }
  reader.finish();
  double total = 0;
  for (const WeightedLength& l : lengths) total += l.weight;
  if (total <= 0) {
    throw InputError(fmt::format("the lengths in {} weigh nothing", name),
                     "lines of length,weight with a positive weight");
  }
  std::stable_sort(lengths.begin(), lengths.end(),
                   [](const auto& a, const auto& b) { return a.tokens < b.tokens; });
  return lengths;
}

std::vector<WeightedLength> read_lengths(const std::string& path) {
  return parse_lengths(read_file(path), path);
}

}  // namespace moesim
