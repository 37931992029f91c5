// The lines of a trace file, and what is wrong with them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostics.hpp"

namespace moesim {

// One file's lines and the faults found in them. Faults past the twentieth are only counted.
class TraceLines {
 public:
  // Plain or gzip. Throws WorldError where the file cannot be read, InputError where it is
  // damaged, compressed otherwise, or empty.
  explicit TraceLines(const std::filesystem::path& path);

  // The next line that is neither empty nor a `#` comment; false at the end.
  bool next();
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] int number() const { return number_; }

  void fault(int line, std::string message, std::string expected = {});
  // Throws if any fault was found, among them a last line without its end.
  void finish();

 private:
  std::string name_;
  std::string content_;
  std::size_t at_ = 0;
  std::string_view text_;
  int number_ = 0;
  int faults_ = 0;
  Diagnostics diagnostics_;
};

}  // namespace moesim
