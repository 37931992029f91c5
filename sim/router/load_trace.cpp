#include "sim/router/load_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "sim/base/files.hpp"
#include "sim/router/trace_lines.hpp"

namespace moesim {

namespace {

struct Row {
  long step, layer, expert, count, source;
  int line;
};

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::optional<long> whole(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  long value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr long kMost = std::numeric_limits<int>::max();

// The row on the current line, or nothing after saying what is wrong with it.
std::optional<Row> read_row(TraceLines& lines, std::size_t columns, const TraceShape& shape) {
  const int line = lines.number();
  const auto parts = split(lines.text());
  if (parts.size() != columns) {
    lines.fault(line, fmt::format("{} columns", parts.size()), fmt::format("{}", columns));
    return std::nullopt;
  }
  constexpr std::string_view names[] = {"step", "layer", "expert", "count", "source"};
  long values[5] = {};
  for (std::size_t i = 0; i < columns; ++i) {
    const auto value = whole(parts[i]);
    if (!value) {
      lines.fault(line, fmt::format("{} is '{}'", names[i], parts[i]), "a whole number");
      return std::nullopt;
    }
    if (*value < 0 || *value > kMost) {
      lines.fault(line, fmt::format("{} is {}", names[i], *value), "0 or more");
      return std::nullopt;
    }
    values[i] = *value;
  }
  if (shape.layers > 0 && values[1] >= shape.layers) {
    lines.fault(line, fmt::format("there is no MoE layer {}", values[1]),
                fmt::format("0 to {}", shape.layers - 1));
    return std::nullopt;
  }
  if (shape.experts > 0 && values[2] >= shape.experts) {
    lines.fault(line, fmt::format("there is no expert {}", values[2]),
                fmt::format("0 to {}", shape.experts - 1));
    return std::nullopt;
  }
  return Row{values[0], values[1], values[2], values[3], values[4], line};
}

std::vector<Row> read_rows(TraceLines& lines, const TraceShape& shape) {
  std::vector<Row> rows;
  if (!lines.next()) {
    lines.fault(1, "no header", "step,layer,expert,count[,source]");
    return rows;
  }
  const std::string_view header = lines.text();
  const bool sources = header == "step,layer,expert,count,source";
  if (!sources && header != "step,layer,expert,count") {
    lines.fault(lines.number(), fmt::format("the header is '{}'", header),
                "step,layer,expert,count[,source]");
    return rows;
  }
  bool any = false;
  while (lines.next()) {
    any = true;
    if (const auto row = read_row(lines, sources ? 5 : 4, shape)) rows.push_back(*row);
  }
  if (!any) lines.fault(lines.number(), "no rows", "one row per step, layer and expert");
  return rows;
}

void find_duplicates(std::vector<Row>& rows, TraceLines& lines) {
  const auto key = [](const Row& r) { return std::tuple(r.step, r.layer, r.expert, r.source); };
  std::stable_sort(rows.begin(), rows.end(),
                   [&key](const Row& a, const Row& b) { return key(a) < key(b); });
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (key(rows[i]) == key(rows[i - 1])) {
      lines.fault(rows[i].line,
                  fmt::format("step {}, layer {}, expert {} was given on line {} already",
                              rows[i].step, rows[i].layer, rows[i].expert, rows[i - 1].line),
                  "each once");
    }
  }
}

// Every layer routes every token of a step, so its sum is the same in all layers.
void check_sums(const LoadTrace& trace, const std::map<long, int>& line_of, int top_k,
                TraceLines& lines) {
  const auto n = static_cast<std::size_t>(trace.experts);
  for (std::size_t s = 0; s < trace.steps.size(); ++s) {
    const int line = line_of.at(trace.steps[s]);
    const auto& counts = trace.counts[s];
    long first = 0;
    for (std::size_t layer = 0; layer * n < counts.size(); ++layer) {
      long sum = 0;
      for (std::size_t e = 0; e < n; ++e) sum += counts[layer * n + e];
      if (layer == 0) first = sum;
      if (sum == 0) {
        lines.fault(line,
                    fmt::format("step {} has no tokens in layer {}", trace.steps[s], layer),
                    "every MoE layer in every step");
      } else if (sum != first) {
        lines.fault(line,
                    fmt::format("step {}: layer {} routes {} tokens x top_k, layer 0 routes {}",
                                trace.steps[s], layer, sum, first),
                    "the same tokens in every layer");
      } else if (top_k > 0 && sum % top_k != 0) {
        lines.fault(line,
                    fmt::format("step {}, layer {}: {} choices", trace.steps[s], layer, sum),
                    fmt::format("a multiple of top_k = {}", top_k));
      }
    }
  }
}

}  // namespace

LoadTrace read_load_trace(const std::filesystem::path& path, const TraceShape& shape) {
  TraceLines lines(path);
  std::vector<Row> rows = read_rows(lines, shape);
  lines.finish();
  find_duplicates(rows, lines);

  LoadTrace trace{.layers = shape.layers, .experts = shape.experts, .steps = {}, .counts = {}};
  for (const Row& row : rows) {
    trace.layers = std::max(trace.layers, static_cast<int>(row.layer) + 1);
    trace.experts = std::max(trace.experts, static_cast<int>(row.expert) + 1);
  }
  std::map<long, int> line_of;
  const auto cells =
      static_cast<std::size_t>(trace.layers) * static_cast<std::size_t>(trace.experts);
  for (const Row& row : rows) {  // in the order of steps
    if (line_of.emplace(row.step, row.line).second) {
      trace.steps.push_back(row.step);
      trace.counts.emplace_back(cells, 0);
    }
    const auto cell = static_cast<std::size_t>(row.layer * trace.experts + row.expert);
    trace.counts.back()[cell] += static_cast<int>(row.count);
  }
  check_sums(trace, line_of, shape.top_k, lines);
  lines.finish();
  return trace;
}

void write_load_trace(const std::filesystem::path& path, const LoadTrace& trace) {
  std::string text = "step,layer,expert,count\n";
  const auto n = static_cast<std::size_t>(trace.experts);
  for (std::size_t s = 0; s < trace.steps.size(); ++s) {
    for (std::size_t i = 0; i < trace.counts[s].size(); ++i) {
      if (trace.counts[s][i] == 0) continue;
      fmt::format_to(std::back_inserter(text), "{},{},{},{}\n", trace.steps[s], i / n, i % n,
                     trace.counts[s][i]);
    }
  }
  write_file(path, text);
}

}  // namespace moesim
