// Tables of measured times: CSV, plain or gzip, with '#' lines for source and licence and a
// line of column names. The layouts that `fit` understands are those of
// docs in calibrate/README.md; raw points of `moesim calibrate` use the same ones.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostics.hpp"

namespace moesim {

class Table {
 public:
  // Throws InputError with file and line where the file is empty, truncated or ragged, and
  // WorldError where it cannot be read.
  static Table read(const std::filesystem::path& path);
  static Table parse(std::string file, std::string text);

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] int rows() const { return static_cast<int>(lines_.size()); }
  [[nodiscard]] bool has(std::string_view column) const { return find(column) >= 0; }
  // Index of a column; throws InputError that lists the columns there are.
  [[nodiscard]] int column(std::string_view name) const;

  [[nodiscard]] std::string_view text(int row, int column) const;
  // NaN where the cell is empty or no number.
  [[nodiscard]] double number(int row, int column) const;
  [[nodiscard]] Place place(int row) const;
  // The '#' lines: source, commit, licence.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  [[nodiscard]] int find(std::string_view column) const;

  std::string file_;
  std::string content_;
  std::vector<std::string> notices_;
  std::vector<std::string> columns_;
  std::vector<std::string_view> cells_;
  std::vector<int> lines_;  // line number of each row
};

// The cells of a comma-separated line without quotes.
std::vector<std::string_view> split(std::string_view line, char separator);
// The whole text as a number, or NaN.
double parse_number(std::string_view text);

}  // namespace moesim
