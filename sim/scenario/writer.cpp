// Scenario -> resolved.toml.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/scenario/fields.hpp"
#include "sim/scenario/reference.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

namespace {

// A basic string (TOML 1.0, section "String").
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_scalar(const Field& field, FieldKind kind, const Scalar& value) {
  switch (value.index()) {
    case 0:
      return std::get<bool>(value) ? "true" : "false";
    case 1:
      return fmt::format("{}", std::get<std::int64_t>(value));
    case 2: {
      const double number = std::get<double>(value);
      if (kind == FieldKind::quantity) return toml_string(field.unit.write(number));
      const std::string text = number_text(number);
      const bool whole = text.find_first_of(".e") == std::string::npos;
      return whole ? text + ".0" : text;
    }
    default:
      return toml_string(std::get<std::string>(value));
  }
}

bool untouched(const FieldTable& fields, void* owner, void* defaults) {
  return std::ranges::all_of(fields.fields, [&](const Field& field) {
    if (field.kind == FieldKind::table || field.kind == FieldKind::tables) return true;
    return field.load(owner) == field.load(defaults);
  });
}

// Whether the key that excuses this one is there: cluster.group for cluster.gpu.
bool excused(const Field& field, const FieldTable& fields, void* owner) {
  for (const Field& other : fields.fields) {
    if (other.name == field.unless && other.kind == FieldKind::tables) {
      return other.count(owner) > 0;
    }
  }
  return false;
}

// `owner` is read only; the fields' accessors are shared with the reader, hence not const.
// `defaults` is the same struct as the default scenario has it.
void write_table(std::string& out, const FieldTable& fields, void* owner, void* defaults,
                 const std::string& path) {
  for (const Field& field : fields.fields) {
    if (field.kind == FieldKind::table || field.kind == FieldKind::tables) continue;
    const Value value = field.load(owner);
    if (!field.unset_means.empty() && value == field.load(defaults)) {
      out += fmt::format("# {}: {}\n", field.name, field.unset_means);
    } else {
      out += fmt::format("{} = {}\n", field.name, value_text(field, value));
    }
  }
  for (const Field& field : fields.fields) {
    const std::string name = path.empty() ? field.name : path + "." + field.name;
    if (field.kind == FieldKind::table) {
      if (field.present && !field.present(owner)) continue;
      if (excused(field, fields, owner) &&
          untouched(*field.fields, field.member(owner), field.member(defaults))) {
        continue;
      }
      out += fmt::format("\n[{}]\n", name);
      write_table(out, *field.fields, field.member(owner), field.member(defaults), name);
    } else if (field.kind == FieldKind::tables) {
      for (std::size_t i = 0; i < field.count(owner); ++i) {
        out += fmt::format("\n[[{}]]\n", name);
        write_table(out, *field.fields, field.element_at(owner, i),
                    field.element_at(defaults, 0), name);
      }
    }
  }
}

}  // namespace

std::string value_text(const Field& field, const Value& value) {
  if (const auto* scalar = std::get_if<Scalar>(&value)) {
    return toml_scalar(field, field.kind, *scalar);
  }
  Names elements;
  for (const Scalar& s : std::get<std::vector<Scalar>>(value)) {
    elements.push_back(toml_scalar(field, field.element, s));
  }
  return fmt::format("[{}]", fmt::join(elements, ", "));
}

std::string resolved_toml(const Scenario& scenario) {
  Scenario copy = scenario, defaults;
  std::string out = "# Every value in effect. Reads back to the same scenario.\n";
  write_table(out, scenario_fields(), &copy, &defaults, "");
  return out;
}

}  // namespace moesim
