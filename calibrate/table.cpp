#include "calibrate/table.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "sim/base/errors.hpp"
#include "sim/base/gzip.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> cells;
  for (;;) {
    const auto end = line.find(separator);
    cells.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return cells;
    line.remove_prefix(end + 1);
  }
}

double parse_number(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return value;
}

Table Table::read(const std::filesystem::path& path) {
  return parse(path.string(), read_text(path));
}

Table Table::parse(std::string file, std::string text) {
  Table table;
  table.file_ = std::move(file);
  table.content_ = std::move(text);
  Diagnostics wrong;
  int number = 0;
  std::string_view rest = table.content_;
  while (!rest.empty()) {
    ++number;
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.front() == '#') {
      table.notices_.emplace_back(line);
      continue;
    }
    const auto cells = split(line, ',');
    if (table.columns_.empty()) {
      table.columns_.assign(cells.begin(), cells.end());
    } else if (cells.size() != table.columns_.size()) {
      wrong.error({table.file_, number, 1, std::string(line)},
                  fmt::format("this row has {} cells", cells.size()),
                  fmt::format("{}, one per column", table.columns_.size()),
                  rest.empty() ? "the file may be truncated" : "");
    } else {
      table.cells_.insert(table.cells_.end(), cells.begin(), cells.end());
      table.lines_.push_back(number);
    }
  }
  if (table.lines_.empty() && !wrong.has_errors()) {
    wrong.error({table.file_, number, 0, ""}, "this table is empty",
                "a line of column names and at least one row");
  }
  wrong.throw_if_errors();
  return table;
}

int Table::find(std::string_view column) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i] == column) return static_cast<int>(i);
  }
  return -1;
}

int Table::column(std::string_view name) const {
  const int index = find(name);
  if (index >= 0) return index;
  throw InputError({{Severity::error,
                     {file_, 0, 0, ""},
                     fmt::format("there is no column '{}'", name),
                     fmt::format("columns: {}", fmt::join(columns_, ", ")),
                     did_you_mean(name, columns_)}});
}

std::string_view Table::text(int row, int column) const {
  return cells_[static_cast<std::size_t>(row) * columns_.size() +
                static_cast<std::size_t>(column)];
}

double Table::number(int row, int column) const { return parse_number(text(row, column)); }

Place Table::place(int row) const {
  return {file_, lines_[static_cast<std::size_t>(row)], 1, ""};
}

}  // namespace moesim
