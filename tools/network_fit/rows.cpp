#include "tools/network_fit/rows.hpp"

#include <cstdlib>
#include <sstream>

#include "sim/base/gzip.hpp"

namespace moesim::network_fit {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  return cells;
}

}  // namespace

double number(const Row& row, const std::string& column) {
  const auto found = row.find(column);
  if (found == row.end() || found->second.empty()) return 0;
  return std::strtod(found->second.c_str(), nullptr);
}

std::vector<Row> read_csv(const std::string& path) {
  std::stringstream stream(read_text(path));
  std::vector<std::string> header;
  std::vector<Row> rows;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> cells = cells_of(line);
    if (header.empty()) {
      header = cells;
      continue;
    }
    Row row;
    for (std::size_t i = 0; i < header.size(); ++i) {
      row[header[i]] = i < cells.size() ? cells[i] : "";
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace moesim::network_fit
