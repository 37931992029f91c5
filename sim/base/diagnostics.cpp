#include "sim/base/diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

namespace {

constexpr std::size_t kWidest = 160;  // a longer source line is cut around the caret

std::string paint(std::string_view text, std::string_view code, Color color) {
  return color == Color::on ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

// Control characters of a binary file must not reach the terminal.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '\t' ? ' ' : static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return out;
}

std::string source_and_caret(const Place& place, Color color) {
  if (place.line == 0 || place.line_text.empty()) return {};
  std::size_t caret = static_cast<std::size_t>(std::max(place.column, 1) - 1);
  std::string line = printable(place.line_text);
  if (line.size() > kWidest) {
    const std::size_t from = caret > kWidest / 2 ? caret - kWidest / 2 : 0;
    line = line.substr(std::min(from, line.size()), kWidest);
    caret -= from;
  }
  return fmt::format("{:>6} | {}\n       | {}{}\n", place.line, line,
                     std::string(std::min(caret, kWidest), ' '), paint("^", "1;32", color));
}

}  // namespace

std::string render(const Diagnostic& d, Color color) {
  std::string where;
  if (!d.place.file.empty()) {
    where = d.place.line > 0
                ? fmt::format("{}:{}:{}: ", d.place.file, d.place.line, d.place.column)
                : fmt::format("{}: ", d.place.file);
  }
  std::string out = where + (d.severity == Severity::error ? paint("error: ", "1;31", color)
                                                           : paint("warning: ", "1;35", color));
  out += printable(d.message) + "\n" + source_and_caret(d.place, color);
  if (!d.expected.empty()) out += fmt::format("       = expected: {}\n", d.expected);
  if (!d.hint.empty()) out += fmt::format("       = hint: {}\n", d.hint);
  return out;
}

void Diagnostics::error(Place place, std::string message, std::string expected,
                        std::string hint) {
  list_.push_back({Severity::error, std::move(place), std::move(message), std::move(expected),
                   std::move(hint)});
}

void Diagnostics::warning(Place place, std::string message, std::string expected,
                          std::string hint) {
  list_.push_back({Severity::warning, std::move(place), std::move(message), std::move(expected),
                   std::move(hint)});
}

void Diagnostics::append(const Diagnostics& others) {
  list_.insert(list_.end(), others.list_.begin(), others.list_.end());
}

bool Diagnostics::has_errors() const {
  return std::ranges::any_of(list_,
                             [](const auto& d) { return d.severity == Severity::error; });
}

void Diagnostics::throw_if_errors() const {
  if (has_errors()) throw InputError(list_);
}

InputError::InputError(std::vector<Diagnostic> diagnostics) : list_(std::move(diagnostics)) {
  for (const Diagnostic& d : list_) text_ += render(d, Color::off);
}

InputError::InputError(std::string message, std::string expected, std::string hint)
    : InputError(std::vector<Diagnostic>{
          {Severity::error, {}, std::move(message), std::move(expected), std::move(hint)}}) {}

}  // namespace moesim
