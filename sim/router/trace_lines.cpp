#include "sim/router/trace_lines.hpp"

#include <fmt/format.h>

#include <utility>

#include "sim/base/gzip.hpp"

namespace moesim {

namespace {
constexpr int kMostFaults = 20;
}

TraceLines::TraceLines(const std::filesystem::path& path)
    : name_(path.string()), content_(read_text(path)) {
  if (content_.starts_with("\x28\xb5\x2f\xfd")) {
    throw InputError(fmt::format("{} is compressed", name_), "a plain text or gzip file",
                     fmt::format("zstd -d < {} > FILE", name_));
  }
  if (content_.empty()) throw InputError(fmt::format("{} is empty", name_), "a trace");
}

bool TraceLines::next() {
  while (at_ < content_.size()) {
    const std::size_t end = content_.find('\n', at_);
    const std::size_t stop = end == std::string::npos ? content_.size() : end;
    text_ = std::string_view(content_).substr(at_, stop - at_);
    if (text_.ends_with('\r')) text_.remove_suffix(1);
    at_ = stop + 1;
    ++number_;
    if (!text_.empty() && text_[0] != '#') return true;
  }
  return false;
}

void TraceLines::fault(int line, std::string message, std::string expected) {
  if (++faults_ > kMostFaults) return;
  diagnostics_.error({.file = name_, .line = line}, std::move(message), std::move(expected));
}

void TraceLines::finish() {
  if (!content_.ends_with('\n')) {
    fault(number_, "the file ends in the middle of a line: it is cut off",
          "a last line that ends like the others");
  }
  if (faults_ > kMostFaults) {
    diagnostics_.error({.file = name_}, fmt::format("{} more faults", faults_ - kMostFaults));
  }
  diagnostics_.throw_if_errors();
}

}  // namespace moesim
