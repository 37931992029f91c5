// What there is to know about the keys, read off their declarations: `moesim explain`, the
// reference page, completions and the JSON Schema.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/fields.hpp"

namespace moesim {

// Every key, tables before their members: "placement.strategy"; an element of a list of tables
// is "fault[].at". `default_value` is nullptr for tables.
struct KeyEntry {
  std::string key;
  const Field* field = nullptr;
  const Value* default_value = nullptr;
};
void for_each_key(const std::function<void(const KeyEntry&)>& visit);

// Dotted names of all keys, for completion.
std::vector<std::string> all_keys();

// A value as TOML.
std::string value_text(const Field& field, const Value& value);

// What `key` means: a key, or a section with its keys. Throws InputError with a "did you mean".
std::string explain_key(std::string_view key);

// All keys in Markdown, section by section.
std::string reference_page();

// JSON Schema, draft 4, of a scenario file.
std::string json_schema();

}  // namespace moesim
