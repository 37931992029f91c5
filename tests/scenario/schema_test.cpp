// The JSON Schema accepts what the reader accepts. The checker below knows the part of draft 4
// that the schema uses, and refuses a schema that uses more.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "sim/base/files.hpp"
#include "sim/scenario/reference.hpp"
#include "sim/scenario/tree.hpp"
#include "tests/scenario/support.hpp"

using namespace moesim;
using namespace moesim::tests;
using Json = nlohmann::json;

namespace {

Json json_of(const Node& node) {
  if (const auto* table = node.table()) {
    Json object = Json::object();
    for (const KeyedNode& entry : *table) object[entry.key] = json_of(entry.node);
    return object;
  }
  if (const auto* list = node.list()) {
    Json array = Json::array();
    for (const Node& element : *list) array.push_back(json_of(element));
    return array;
  }
  return std::visit([](const auto& value) { return Json(value); }, *node.scalar());
}

bool is_type(const std::string& type, const Json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  return type == "number" && value.is_number();
}

// Empty if `value` is what `schema` says, else the path of the first thing that is not.
std::string first_mismatch(const Json& schema, const Json& value, const std::string& path) {
  static const std::set<std::string> known{"$schema",
                                           "title",
                                           "type",
                                           "description",
                                           "default",
                                           "enum",
                                           "minimum",
                                           "maximum",
                                           "exclusiveMinimum",
                                           "properties",
                                           "additionalProperties",
                                           "items",
                                           "anyOf",
                                           "pattern"};
  for (const auto& [word, unused] : schema.items()) REQUIRE(known.contains(word));
  if (schema.contains("anyOf")) {
    for (const Json& option : schema["anyOf"]) {
      if (first_mismatch(option, value, path).empty()) return {};
    }
    return path;
  }
  if (schema.contains("type") && !is_type(schema["type"], value)) return path;
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
    return path;
  }
  if (schema.contains("minimum") && value.is_number()) {
    const bool open = schema.value("exclusiveMinimum", false);
    const double low = schema["minimum"], number = value;
    if (open ? number <= low : number < low) return path;
  }
  if (schema.contains("maximum") && value.is_number() && value > schema["maximum"]) return path;
  if (schema.contains("pattern") &&
      !std::regex_search(value.get<std::string>(),
                         std::regex(schema["pattern"].get<std::string>()))) {
    return path;
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      if (!schema["properties"].contains(key)) return path + "." + key;
      const std::string found =
          first_mismatch(schema["properties"][key], member, path + "." + key);
      if (!found.empty()) return found;
    }
  }
  if (value.is_array()) {
    for (const Json& element : value) {
      const std::string found = first_mismatch(schema["items"], element, path + "[]");
      if (!found.empty()) return found;
    }
  }
  return {};
}

Json tree_of(const std::string& content) {
  Diagnostics diagnostics;
  const auto source = std::make_shared<const SourceText>(source_text("x", content));
  const Node root = parse_toml(source, content, diagnostics);
  diagnostics.throw_if_errors();
  return json_of(root);
}

}  // namespace

TEST_CASE("the JSON Schema accepts every shipped scenario, and what resolved.toml says of it") {
  const Json schema = Json::parse(json_schema());
  CHECK(schema["$schema"] == "http://json-schema.org/draft-04/schema#");
  for (const std::string& file : shipped_scenarios()) {
    CAPTURE(file);
    CHECK(first_mismatch(schema, tree_of(read_file(file)), "") == "");
    CHECK(first_mismatch(schema, tree_of(resolved_toml(read_file_well(file))), "") == "");
  }
}

TEST_CASE("the JSON Schema accepts every model and system preset as their sections") {
  const Json properties = Json::parse(json_schema())["properties"];
  for (const auto& [section, folder] :
       {std::pair("model", "models"), std::pair("cluster", "systems")}) {
    for (const std::string& name : preset_names(folder)) {
      CAPTURE(name);
      const std::string file = kScenarios + folder + "/" + name + ".toml";
      CHECK(first_mismatch(properties[section], tree_of(read_file(file)), "") == "");
    }
  }
}

TEST_CASE("the JSON Schema refuses unknown keys, wrong types and values out of range") {
  const Json schema = Json::parse(json_schema());
  CHECK(first_mismatch(schema, tree_of("serving.ttp = 1"), "") == ".serving.ttp");
  CHECK(first_mismatch(schema, tree_of("serving.tp = \"many\""), "") == ".serving.tp");
  CHECK(first_mismatch(schema, tree_of("serving.tp = 0"), "") == ".serving.tp");
  CHECK(first_mismatch(schema, tree_of("serving.overlap = \"some\""), "") ==
        ".serving.overlap");
  CHECK(first_mismatch(schema, tree_of("[[fault]]\nbandwidth = 2"), "") ==
        ".fault[].bandwidth");
  CHECK(first_mismatch(schema, tree_of("[slo]\nttft_p99 = \"5 %\""), "") == ".slo.ttft_p99");
}
