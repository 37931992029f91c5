// JSON Schema, draft 4 (json-schema.org/draft-04), which TOML editors read (taplo, Even Better
// TOML). Draft 4 has exclusiveMinimum as a flag beside minimum.
#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/scenario/reference.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

namespace {

using Json = nlohmann::ordered_json;

Json number_schema(const Field& field, const char* type) {
  Json schema = {{"type", type}};
  if (std::isfinite(field.limits.min)) schema["minimum"] = field.limits.min;
  if (field.limits.above_min) schema["exclusiveMinimum"] = true;
  if (std::isfinite(field.limits.max)) schema["maximum"] = field.limits.max;
  return schema;
}

Json kind_schema(const Field& field, FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return {{"type", "boolean"}};
    case FieldKind::integer:
      return number_schema(field, "integer");
    case FieldKind::number:
      return number_schema(field, "number");
    case FieldKind::quantity:
      return {{"anyOf",
               {number_schema(field, "number"),
                {{"type", "string"},
                 {"pattern", "^\\s*[+-]?[0-9._]+([eE][+-]?[0-9]+)?\\s*[A-Za-z/]*\\s*$"}}}}};
    case FieldKind::text:
    case FieldKind::choice:
      break;
    case FieldKind::list:
      return {{"type", "array"}, {"items", kind_schema(field, field.element)}};
    case FieldKind::table:
    case FieldKind::tables:
      return {};
  }
  Json text = {{"type", "string"}};
  if (field.choices && !field.open_choices) text["enum"] = field.choices();
  if (!field.takes_numbers) return text;
  return {{"anyOf", {text, {{"type", "number"}}}}};
}

Json json_value(const Field& field, const Scalar& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    return field.unit.write != nullptr ? Json(field.unit.write(*number)) : Json(*number);
  }
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  return std::get<std::string>(value);
}

Json table_schema(const FieldTable& fields, void* defaults);

Json field_schema(const Field& field, void* defaults) {
  if (field.kind == FieldKind::table) {
    return table_schema(*field.fields, field.member(defaults));
  }
  if (field.kind == FieldKind::tables) {
    return {{"type", "array"},
            {"description", field.fields->doc},
            {"items", table_schema(*field.fields, field.element_at(defaults, 0))}};
  }
  Json schema = kind_schema(field, field.kind);
  schema["description"] = field.doc;
  const Value value = field.load(defaults);
  const auto* scalar = std::get_if<Scalar>(&value);
  const bool has_default = scalar != nullptr && !field.is_required && field.unset_means.empty();
  if (has_default) schema["default"] = json_value(field, *scalar);
  return schema;
}

Json table_schema(const FieldTable& fields, void* defaults) {
  Json properties = Json::object();
  if (!fields.presets.empty()) {
    properties["preset"] = {
        {"description", "A file of scenarios/" + fields.presets + "; any key overrides it"},
        {"anyOf",
         {{{"type", "string"}, {"enum", preset_names(fields.presets)}},
          {{"type", "string"}, {"pattern", "\\.toml$"}}}}};
  }
  for (const Field& field : fields.fields)
    properties[field.name] = field_schema(field, defaults);
  return {{"type", "object"},
          {"description", fields.doc},
          {"additionalProperties", false},
          {"properties", std::move(properties)}};
}

}  // namespace

std::string json_schema() {
  Scenario defaults;
  Json schema = {{"$schema", "http://json-schema.org/draft-04/schema#"},
                 {"title", "moesim scenario"}};
  schema.update(table_schema(scenario_fields(), &defaults));
  return schema.dump(2) + "\n";
}

}  // namespace moesim
