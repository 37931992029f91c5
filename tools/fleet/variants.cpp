#include "tools/fleet/variants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "sim/base/diagnostics.hpp"
#include "sim/base/units_text.hpp"

namespace moesim {

namespace {

constexpr std::size_t kMostValues = 100'000;
constexpr std::size_t kMostVariants = 1'000'000;
constexpr const char* kForms = "KEY=A,B,C or KEY=FROM:TO:STEP";

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// At each `separator` outside of quotes and brackets.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts{""};
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    }
    if (c == separator && depth == 0 && quote == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  for (std::string& part : parts) part = trimmed(part);
  return parts;
}

struct Number {
  double value;
  std::string unit;
};
std::optional<Number> leading_number(const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number.value);
  if (problem != std::errc{} || !std::isfinite(number.value)) return std::nullopt;
  number.unit = trimmed(std::string_view(stop, static_cast<std::size_t>(end - stop)));
  return number;
}

std::string value_text(double number, const std::string& unit) {
  return unit.empty() ? number_text(number) : fmt::format("{} {}", number_text(number), unit);
}

// FROM:TO:STEP; nothing when it is no range.
std::optional<std::vector<std::string>> range_of(std::string_view key, std::string_view text,
                                                 std::string_view where) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() != 3) return std::nullopt;
  std::vector<Number> numbers;
  for (const std::string& part : parts) {
    const auto number = leading_number(part);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  const std::string unit = numbers[2].unit;
  for (const Number& number : numbers) {
    if (!number.unit.empty() && number.unit != unit) {
      throw InputError(fmt::format("{} {}: the range '{}' mixes units", where, key, text),
                       "one unit, after the last number: 10:40:5 req/s");
    }
  }
  const double from = numbers[0].value, to = numbers[1].value, step = numbers[2].value;
  const double steps = (to - from) / step;
  if (!(steps >= 0) || steps > static_cast<double>(kMostValues)) {
    throw InputError(
        fmt::format("{} {}: the range '{}' leads nowhere", where, key, text),
        fmt::format("a step that leads from FROM to TO in at most {} steps", kMostValues));
  }
  std::vector<std::string> values;
  // Rounded to 12 digits, so that 0:1:0.1 has 0.3 and not 0.30000000000000004.
  for (int i = 0; i <= static_cast<int>(std::floor(steps + 1e-9)); ++i) {
    values.push_back(value_text(std::stod(fmt::format("{:.12g}", from + i * step)), unit));
  }
  return values;
}

}  // namespace

Axis parse_axis(std::string_view text, std::string_view where) {
  const std::size_t equals = text.find('=');
  Axis axis;
  if (equals != std::string_view::npos) axis.key = trimmed(text.substr(0, equals));
  if (axis.key.empty()) {
    throw InputError(fmt::format("{} '{}' names no key", where, text), kForms);
  }
  const std::string_view values = text.substr(equals + 1);
  axis.values = range_of(axis.key, values, where).value_or(split(values, ','));
  std::vector<std::string> sorted = axis.values;
  std::ranges::sort(sorted);
  if (sorted.front().empty()) {
    throw InputError(fmt::format("{} {} has an empty value", where, axis.key), kForms);
  }
  const auto twice = std::ranges::adjacent_find(sorted);
  if (twice != sorted.end()) {
    throw InputError(fmt::format("{} {} has the value '{}' twice", where, axis.key, *twice),
                     "each value once");
  }
  return axis;
}

std::vector<Axis> parse_axes(const std::vector<std::string>& texts, std::string_view where) {
  std::vector<Axis> axes;
  for (const std::string& text : texts) {
    axes.push_back(parse_axis(text, where));
    for (std::size_t i = 0; i + 1 < axes.size(); ++i) {
      if (axes[i].key == axes.back().key) {
        throw InputError(fmt::format("{} {} is there twice", where, axes[i].key),
                         "all values of a key in one place");
      }
    }
  }
  return axes;
}

std::vector<Variant> all_variants(const std::vector<Axis>& axes) {
  std::size_t count = 1;
  for (const Axis& axis : axes) {
    count *= axis.values.size();
    if (count > kMostVariants) {
      throw InputError(fmt::format("these are more than {} runs", kMostVariants),
                       "fewer values, or several sweeps");
    }
  }
  std::vector<Variant> variants(count);
  for (std::size_t v = 0; v < count; ++v) {
    Variant& variant = variants[v];
    variant.position = static_cast<int>(v);
    std::size_t stride = count, rest = v;
    for (const Axis& axis : axes) {
      stride /= axis.values.size();
      const std::string& value = axis.values[rest / stride];
      rest %= stride;
      variant.values.push_back(value);
      variant.settings.push_back(axis.key + "=" + value);
      variant.label += (variant.label.empty() ? "" : ", ") + value;
    }
  }
  return variants;
}

}  // namespace moesim
