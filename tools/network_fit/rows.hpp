// Rows of a published table, by column.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace moesim::network_fit {

using Row = std::map<std::string, std::string>;

// Rows of a CSV, plain or gzipped, lines that start with # left out. Throws WorldError.
std::vector<Row> read_csv(const std::string& path);

// Zero for a cell that is empty or not there.
double number(const Row& row, const std::string& column);

}  // namespace moesim::network_fit
