#include "sim/scenario/fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "sim/base/spelling.hpp"

namespace moesim {

namespace {

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  return text.size() > kLongest ? fmt::format("'{}...'", text.substr(0, kLongest))
                                : fmt::format("'{}'", text);
}

// A scalar as the message shows it.
std::string shown(const Scalar& value) {
  switch (value.index()) {
    case 0:
      return std::get<bool>(value) ? "true" : "false";
    case 1:
      return fmt::format("{}", std::get<std::int64_t>(value));
    case 2:
      return number_text(std::get<double>(value));
    default:
      return quoted(std::get<std::string>(value));
  }
}

std::string limit_text(const Field& field, double limit) {
  const bool with_unit = field.unit.write != nullptr && limit != 0;
  return with_unit ? field.unit.write(limit) : number_text(limit);
}

std::string range_text(const Field& field) {
  const Range& r = field.limits;
  const bool low = std::isfinite(r.min) && r.min > std::numeric_limits<int>::min();
  const bool high = std::isfinite(r.max) && r.max < std::numeric_limits<int>::max();
  const std::string min = limit_text(field, r.min), max = limit_text(field, r.max);
  if (low && high && r.above_min) return fmt::format(", above {} and at most {}", min, max);
  if (low && high) return fmt::format(", {} to {}", min, max);
  if (low && r.above_min) return fmt::format(", above {}", min);
  if (low) return fmt::format(", at least {}", min);
  if (high) return fmt::format(", at most {}", max);
  return {};
}

BadValue wrong(const Field& field, std::string message, std::string hint = {}) {
  return {std::move(message), expectation(field), std::move(hint)};
}

std::variant<double, BadValue> number_of(const Field& field, FieldKind kind, const Scalar& s) {
  double value = 0;
  if (const auto* integer = std::get_if<std::int64_t>(&s)) {
    value = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&s)) {
    value = *number;
  } else if (const auto* text = std::get_if<std::string>(&s);
             text != nullptr && kind == FieldKind::quantity) {
    const auto parsed = field.unit.parse(*text);
    if (const auto* problem = std::get_if<std::string>(&parsed)) {
      return wrong(field, fmt::format("is {}, which {}", quoted(*text), *problem));
    }
    value = std::get<double>(parsed);
  } else {
    return wrong(field, fmt::format("is {}", shown(s)));
  }
  if (!std::isfinite(value)) return wrong(field, fmt::format("is {}", shown(s)));
  if (!field.limits.holds(value)) {
    return wrong(field, fmt::format("is {}, which is out of range", shown(s)));
  }
  return value;
}

std::variant<Scalar, BadValue> check_text(const Field& field, const Scalar& s) {
  std::string text;
  if (const auto* given = std::get_if<std::string>(&s)) {
    text = *given;
  } else if (field.takes_numbers && s.index() == 1) {
    return Scalar(fmt::format("{}", std::get<std::int64_t>(s)));
  } else if (field.takes_numbers && s.index() == 2) {
    return Scalar(number_text(std::get<double>(s)));
  } else {
    return wrong(field, fmt::format("is {}", shown(s)));
  }
  if (field.choices && !field.open_choices) {
    const Names names = field.choices();
    if (std::ranges::find(names, text) == names.end()) {
      return wrong(field, fmt::format("is {}, which is not known", quoted(text)),
                   did_you_mean(text, names));
    }
  }
  return Scalar(std::move(text));
}

std::variant<Scalar, BadValue> check_scalar(const Field& field, FieldKind kind,
                                            const Scalar& s) {
  if (kind == FieldKind::text || kind == FieldKind::choice) return check_text(field, s);
  if (kind == FieldKind::boolean) {
    if (s.index() != 0) return wrong(field, fmt::format("is {}", shown(s)));
    return s;
  }
  const auto number = number_of(field, kind, s);
  if (const auto* problem = std::get_if<BadValue>(&number)) return *problem;
  if (kind != FieldKind::integer) return Scalar(std::get<double>(number));
  if (const auto* integer = std::get_if<std::int64_t>(&s)) return Scalar(*integer);
  const double value = std::get<double>(number);  // 1e4 is as good as 10_000
  if (value != std::floor(value) || std::abs(value) > 0x1p53) {
    return wrong(field, fmt::format("is {}, which is not a whole number", shown(s)));
  }
  return Scalar(static_cast<std::int64_t>(value));
}

std::string kind_text(const Field& field, FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return "true or false";
    case FieldKind::integer:
      return "a whole number";
    case FieldKind::number:
      return "a number";
    case FieldKind::quantity:
      return fmt::format("{} such as {}", field.unit.family->what, field.unit.family->examples);
    case FieldKind::text:
    case FieldKind::choice: {
      std::string text = field.takes_numbers ? "a number or text" : "text";
      if (!field.choices) return text;
      const Names names = field.choices();
      if (field.open_choices)
        return fmt::format("{}, such as {}", text, fmt::join(names, ", "));
      return fmt::format("one of {}", fmt::join(names, ", "));
    }
    case FieldKind::list:
      return "a list";
    case FieldKind::table:
      return "a table";
    case FieldKind::tables:
      return "a list of tables";
  }
  return {};
}

}  // namespace

const Field* FieldTable::find(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

Names FieldTable::names() const {
  Names list;
  if (!presets.empty()) list.emplace_back("preset");
  for (const Field& field : fields) list.push_back(field.name);
  return list;
}

std::string expectation(const Field& field) {
  if (field.kind == FieldKind::list) {
    return "a list; each element " + kind_text(field, field.element) + range_text(field);
  }
  return kind_text(field, field.kind) + range_text(field);
}

std::variant<Value, BadValue> check_value(const Field& field, const Node& node) {
  if (field.kind == FieldKind::list) {
    if (node.list() == nullptr) return wrong(field, fmt::format("is {}", kind_of(node)));
    std::vector<Scalar> values;
    for (const Node& element : *node.list()) {
      if (element.scalar() == nullptr) {
        return wrong(field, fmt::format("has {} as an element", kind_of(element)));
      }
      auto checked = check_scalar(field, field.element, *element.scalar());
      if (auto* problem = std::get_if<BadValue>(&checked)) {
        problem->message = "has an element that " + problem->message;
        return std::move(*problem);
      }
      values.push_back(std::get<Scalar>(std::move(checked)));
    }
    return Value(std::move(values));
  }
  if (node.scalar() == nullptr) return wrong(field, fmt::format("is {}", kind_of(node)));
  auto checked = check_scalar(field, field.kind, *node.scalar());
  if (auto* problem = std::get_if<BadValue>(&checked)) return std::move(*problem);
  return Value(std::get<Scalar>(std::move(checked)));
}

}  // namespace moesim
