#include "sim/placement/json_input.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace moesim {

namespace {

using Json = nlohmann::json;

// A value as a person would name it, cut short.
std::string show(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return text;
}

Place place_at(const std::string& file, std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  const std::size_t end = std::min(text.find('\n', offset), text.size());
  return {file, 1 + static_cast<int>(std::ranges::count(before, '\n')),
          1 + static_cast<int>(offset - start), std::string(text.substr(start, end - start))};
}

// Whole floats too: what writes 16.0 means 16.
bool fits(const Json& value, int) {
  if (value.is_number_float()) {
    const double v = value.get<double>();
    return v == std::trunc(v) && std::abs(v) <= std::numeric_limits<int>::max();
  }
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned()) {
    return value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<int>::max()};
  }
  const auto wide = value.get<std::int64_t>();
  return wide >= std::numeric_limits<int>::min() && wide <= std::numeric_limits<int>::max();
}
bool fits(const Json& value, double) {
  return value.is_number() && std::isfinite(value.get<double>());
}

template <class T>
constexpr const char* kExpected = std::is_same_v<T, int> ? "an integer" : "a finite number";

}  // namespace

void JsonInput::fault(std::string message, std::string expected, std::string hint) {
  faults_.error({file_, 0, 0, ""}, std::move(message), std::move(expected), std::move(hint));
}

nlohmann::json JsonInput::parse(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    const Place where = place_at(file_, text, e.byte > 0 ? e.byte - 1 : 0);
    const std::size_t near = e.byte > 4 ? e.byte - 4 : 0;
    const auto around = text.substr(std::min(near, text.size()), 12);
    const bool not_finite = around.find("NaN") != std::string_view::npos ||
                            around.find("nan") != std::string_view::npos ||
                            around.find("Inf") != std::string_view::npos;
    faults_.error(where, text.empty() ? "the file is empty" : "malformed JSON",
                  not_finite ? "a finite number" : "JSON",
                  not_finite ? "JSON has no NaN and no infinity" : "");
  } catch (const Json::exception&) {  // numbers beyond a double
    fault("a number is out of range", "finite numbers");
  }
  return Json(Json::value_t::discarded);
}

int JsonInput::integer(const Json& owner, const char* key, int fallback) {
  if (!owner.contains(key)) return fallback;
  if (fits(owner[key], int{})) return owner[key].get<int>();
  fault(fmt::format("'{}' is {}", key, show(owner[key])), "an integer");
  return fallback;
}

bool JsonInput::boolean(const Json& owner, const char* key, bool fallback) {
  if (!owner.contains(key)) return fallback;
  if (owner[key].is_boolean()) return owner[key].get<bool>();
  fault(fmt::format("'{}' is {}", key, show(owner[key])), "true or false");
  return fallback;
}

std::string JsonInput::text(const Json& owner, const char* key, const std::string& fallback) {
  if (!owner.contains(key)) return fallback;
  if (owner[key].is_string()) return owner[key].get<std::string>();
  fault(fmt::format("'{}' is {}", key, show(owner[key])), "a text");
  return fallback;
}

template <class T>
std::vector<T> JsonInput::row(const Json& value, const std::string& name) {
  std::vector<T> out;
  if (!value.is_array()) {
    fault(fmt::format("{} is {}", name, show(value)), "an array");
    return out;
  }
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!fits(value[i], T{})) {  // one per row tells enough
      fault(fmt::format("{}[{}] is {}", name, i, show(value[i])), kExpected<T>);
      return out;
    }
    out.push_back(value[i].get<T>());
  }
  return out;
}

template <class T>
std::vector<std::vector<T>> JsonInput::matrix(const Json& value, const std::string& name,
                                              Itself) {
  std::vector<std::vector<T>> out;
  if (!value.is_array()) {
    fault(fmt::format("{} is {}", name, show(value)), "an array of arrays");
    return out;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    out.push_back(row<T>(value[i], fmt::format("{}[{}]", name, i)));
  }
  return out;
}

template <class T>
std::vector<std::vector<T>> JsonInput::matrix(const Json& owner, const char* key) {
  return matrix<T>(owner[key], key, itself);
}

template std::vector<int> JsonInput::row<int>(const Json&, const std::string&);
template std::vector<double> JsonInput::row<double>(const Json&, const std::string&);
template std::vector<std::vector<int>> JsonInput::matrix<int>(const Json&, const std::string&,
                                                              Itself);
template std::vector<std::vector<double>> JsonInput::matrix<double>(const Json&,
                                                                    const std::string&, Itself);
template std::vector<std::vector<int>> JsonInput::matrix<int>(const Json&, const char*);
template std::vector<std::vector<double>> JsonInput::matrix<double>(const Json&, const char*);

}  // namespace moesim
