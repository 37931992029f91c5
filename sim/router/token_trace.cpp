#include "sim/router/token_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "sim/base/files.hpp"
#include "sim/router/trace_lines.hpp"

namespace moesim {

namespace {

using nlohmann::json;

struct Row {
  int layer = 0;
  int source = 0;
  double count = 1;
  std::string request;
  long position = -1;
  std::vector<int> experts;
  int line = 0;
  int token_line = 0;  // of the token's first row
};

// A whole number >= 0 under `key`; the fallback where there is none.
std::optional<long> natural(const json& object, const char* key, std::optional<long> fallback,
                            TraceLines& lines) {
  const auto found = object.find(key);
  if (found == object.end() && fallback) return fallback;
  if (found != object.end() && found->is_number_integer() && found->get<long>() >= 0 &&
      found->get<long>() <= 2147483647L) {
    return found->get<long>();
  }
  lines.fault(lines.number(),
              fmt::format("{} is {}", key, found == object.end() ? "missing" : found->dump()),
              "a whole number, 0 or more");
  return std::nullopt;
}

bool read_experts(const json& object, const TraceShape& shape, TraceLines& lines, Row& row) {
  const auto found = object.find("experts");
  if (found == object.end() || !found->is_array() || found->empty()) {
    lines.fault(lines.number(), "no list of experts", "\"experts\": [5, 17]");
    return false;
  }
  for (const json& e : *found) {
    if (!e.is_number_integer() || e.get<long>() < 0 || e.get<long>() > 1000000 ||
        (shape.experts > 0 && e.get<long>() >= shape.experts)) {
      lines.fault(lines.number(), fmt::format("there is no expert {}", e.dump()),
                  shape.experts > 0 ? fmt::format("0 to {}", shape.experts - 1) : "0 or more");
      return false;
    }
    row.experts.push_back(e.get<int>());
  }
  std::sort(row.experts.begin(), row.experts.end());
  if (std::adjacent_find(row.experts.begin(), row.experts.end()) != row.experts.end()) {
    lines.fault(lines.number(), "a token takes the same expert twice", "different experts");
    return false;
  }
  return true;
}

std::optional<Row> read_row(const TraceShape& shape, TraceLines& lines) {
  const json object = json::parse(lines.text(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    lines.fault(lines.number(), "not a JSON object", R"({"layer": 0, "experts": [5, 17]})");
    return std::nullopt;
  }
  Row row;
  row.line = lines.number();
  const auto layer = natural(object, "layer", std::nullopt, lines);
  const auto source = natural(object, "source", 0, lines);
  const auto count = natural(object, "count", 1, lines);
  const bool experts = read_experts(object, shape, lines, row);
  if (!layer || !source || !count || !experts) return std::nullopt;
  if (shape.layers > 0 && *layer >= shape.layers) {
    lines.fault(row.line, fmt::format("there is no MoE layer {}", *layer),
                fmt::format("0 to {}", shape.layers - 1));
    return std::nullopt;
  }
  row.layer = static_cast<int>(*layer);
  row.source = static_cast<int>(*source);
  row.count = static_cast<double>(*count);
  if (object.contains("request") || object.contains("position")) {
    const auto position = natural(object, "position", std::nullopt, lines);
    if (!position) return std::nullopt;
    row.position = *position;
    row.request = object.contains("request") ? object["request"].dump() : "";
  }
  return row;
}

void check_widths(const std::vector<Row>& rows, int top_k, TraceLines& lines) {
  for (const Row& row : rows) {
    if (static_cast<int>(row.experts.size()) == top_k) continue;
    lines.fault(row.line, fmt::format("{} experts", row.experts.size()),
                fmt::format("top_k = {}", top_k));
  }
}

// Groups rows by token, tokens in the order of recording, and sees that each token has every
// layer once.
void join(std::vector<Row>& rows, int layers, TraceLines& lines) {
  const auto token = [](const Row& r) { return std::tie(r.request, r.position); };
  std::stable_sort(rows.begin(), rows.end(), [&token](const Row& a, const Row& b) {
    return std::tuple(token(a), a.layer) < std::tuple(token(b), b.layer);
  });
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i;
    int first = rows[i].line;
    while (end < rows.size() && token(rows[end]) == token(rows[i])) {
      first = std::min(first, rows[end++].line);
    }
    std::vector<int> seen(static_cast<std::size_t>(layers), 0);
    for (std::size_t j = i; j < end; ++j) {
      if (seen[static_cast<std::size_t>(rows[j].layer)]++ == 1) {
        lines.fault(rows[j].line,
                    fmt::format("request {}, position {} has layer {} twice", rows[j].request,
                                rows[j].position, rows[j].layer),
                    "each layer once");
      }
    }
    for (int layer = 0; layer < layers; ++layer) {
      if (seen[static_cast<std::size_t>(layer)] > 0) continue;
      lines.fault(rows[i].line,
                  fmt::format("request {}, position {} lacks layer {}", rows[i].request,
                              rows[i].position, layer),
                  "every MoE layer of a token");
      break;
    }
    for (; i < end; ++i) rows[i].token_line = first;
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.token_line < b.token_line; });
}

}  // namespace

TokenTrace read_token_trace(const std::filesystem::path& path, const TraceShape& shape) {
  TraceLines lines(path);
  std::vector<Row> rows;
  bool any = false;
  while (lines.next()) {
    any = true;
    if (auto row = read_row(shape, lines)) rows.push_back(std::move(*row));
  }
  if (!any) lines.fault(lines.number(), "no tokens", "one JSON object per line");
  lines.finish();

  TokenTrace trace{.layers = shape.layers, .experts = shape.experts, .top_k = shape.top_k};
  if (trace.top_k == 0) trace.top_k = static_cast<int>(rows.front().experts.size());
  std::size_t with_position = 0;
  for (const Row& row : rows) {
    trace.layers = std::max(trace.layers, row.layer + 1);
    trace.experts = std::max(trace.experts, row.experts.back() + 1);
    with_position += row.position >= 0 ? 1 : 0;
  }
  trace.joined = with_position == rows.size();
  if (!trace.joined && with_position > 0) {
    const auto odd =
        std::find_if(rows.begin(), rows.end(), [](const Row& r) { return r.position < 0; });
    lines.fault(odd->line, "request and position are missing here, but not everywhere",
                "both in all rows, or in none");
  }
  check_widths(rows, trace.top_k, lines);
  if (trace.joined) join(rows, trace.layers, lines);
  lines.finish();

  const auto layers = static_cast<std::size_t>(trace.layers);
  trace.chosen.resize(layers);
  trace.weight.resize(layers);
  trace.source.resize(layers);
  for (const Row& row : rows) {
    const auto l = static_cast<std::size_t>(row.layer);
    trace.chosen[l].insert(trace.chosen[l].end(), row.experts.begin(), row.experts.end());
    trace.weight[l].push_back(row.count);
    trace.source[l].push_back(row.source);
  }
  for (std::size_t l = 0; l < layers; ++l) {
    if (trace.weight[l].empty()) {
      lines.fault(rows.front().line, fmt::format("no token has layer {}", l),
                  "every MoE layer");
    }
  }
  lines.finish();
  return trace;
}

void write_token_trace(const std::filesystem::path& path, const TokenTrace& trace) {
  std::string text;
  for (int layer = 0; layer < trace.layers; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (std::size_t row = 0; row < trace.rows(layer); ++row) {
      fmt::format_to(std::back_inserter(text),
                     R"({{"layer":{},"source":{},"experts":[{}],"count":{})", layer,
                     trace.source[l][row], fmt::join(trace.of(layer, row), ","),
                     trace.weight[l][row]);
      if (trace.joined)
        fmt::format_to(std::back_inserter(text), R"(,"request":0,"position":{})", row);
      text += "}\n";
    }
  }
  write_file(path, text);
}

std::vector<double> inclusion_of(const TokenTrace& trace) {
  const auto n = static_cast<std::size_t>(trace.experts);
  std::vector<double> pi(static_cast<std::size_t>(trace.layers) * n);
  for (int layer = 0; layer < trace.layers; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    double tokens = 0;
    for (std::size_t row = 0; row < trace.rows(layer); ++row) {
      tokens += trace.weight[l][row];
      for (const int e : trace.of(layer, row)) {
        pi[l * n + static_cast<std::size_t>(e)] += trace.weight[l][row];
      }
    }
    for (std::size_t e = 0; e < n; ++e) pi[l * n + e] /= std::max(tokens, 1e-300);
  }
  return pi;
}

TokenTrace part_of(const TokenTrace& trace, std::size_t part, std::size_t parts, Pick pick) {
  TokenTrace out = trace;
  for (std::size_t l = 0; l < out.chosen.size(); ++l) {
    out.chosen[l].clear();
    out.weight[l].clear();
    out.source[l].clear();
    for (std::size_t row = 0; row < trace.weight[l].size(); ++row) {
      if ((row % parts == part) != (pick == Pick::only)) continue;
      const auto chosen = trace.of(static_cast<int>(l), row);
      out.chosen[l].insert(out.chosen[l].end(), chosen.begin(), chosen.end());
      out.weight[l].push_back(trace.weight[l][row]);
      out.source[l].push_back(trace.source[l][row]);
    }
  }
  return out;
}

}  // namespace moesim
