#include "sim/scenario/reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"
#include "sim/scenario/scenario.hpp"

namespace moesim {

namespace {

void visit_table(const FieldTable& fields, void* defaults, const std::string& path,
                 const std::function<void(const KeyEntry&)>& visit) {
  for (const Field& field : fields.fields) {
    const std::string key = path.empty() ? field.name : path + "." + field.name;
    if (field.kind == FieldKind::table) {
      visit({key, &field, nullptr});
      visit_table(*field.fields, field.member(defaults), key, visit);
    } else if (field.kind == FieldKind::tables) {
      visit({key, &field, nullptr});
      visit_table(*field.fields, field.element_at(defaults, 0), key + "[]", visit);
    } else {
      const Value value = field.load(defaults);
      visit({key, &field, &value});
    }
  }
}

std::string default_text(const Field& field, const Value& value) {
  if (field.is_required) return "none; it must be given";
  if (!field.unset_means.empty()) return field.unset_means;
  return value_text(field, value);
}

// "tenant[0].share", "fault[2]" and "fault.at" name the same keys as "tenant[].share", ...
std::string plain(std::string_view key) {
  std::string out;
  bool inside = false;
  for (const char c : key) {
    if (c == '[') inside = true;
    if (!inside) out += c;
    if (c == ']') inside = false;
  }
  return out;
}

std::string explain_leaf(const KeyEntry& entry) {
  const Field& field = *entry.field;
  return fmt::format("{}\n  {}\n  takes:   {}\n  default: {}\n", entry.key, field.doc,
                     expectation(field), default_text(field, *entry.default_value));
}

std::string explain_table(const std::string& key, const Field& field) {
  const bool list = field.kind == FieldKind::tables;
  std::string out = fmt::format("{}{}{}\n  {}\n", list ? "[[" : "[", key, list ? "]]" : "]",
                                field.fields->doc);
  if (!field.fields->presets.empty()) {
    out += fmt::format("  preset = {}\n", fmt::join(preset_names(field.fields->presets), ", "));
  }
  for (const Field& member : field.fields->fields) {
    out += fmt::format("  {:<24} {}\n", member.name, member.doc);
  }
  return out + fmt::format("`moesim explain {}.KEY` tells more of one.\n", key);
}

std::string escaped(std::string text) {  // in a Markdown table
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return text;
}

}  // namespace

void for_each_key(const std::function<void(const KeyEntry&)>& visit) {
  Scenario defaults;
  visit_table(scenario_fields(), &defaults, "", visit);
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  for_each_key([&](const KeyEntry& entry) {
    keys.push_back(entry.key);
    if (entry.field->fields != nullptr && !entry.field->fields->presets.empty()) {
      keys.push_back(entry.key + ".preset");
    }
  });
  return keys;
}

std::string explain_key(std::string_view key) {
  std::string out;
  std::vector<std::string> known;
  const std::string asked = plain(key);
  for_each_key([&](const KeyEntry& entry) {
    const bool has_preset =
        entry.field->fields != nullptr && !entry.field->fields->presets.empty();
    if (plain(entry.key) == asked) {
      out += entry.default_value != nullptr ? explain_leaf(entry)
                                            : explain_table(entry.key, *entry.field);
    } else if (has_preset && asked == entry.key + ".preset") {
      out += fmt::format(
          "{}.preset\n  A file of scenarios/{} that fills the section; any key overrides it.\n"
          "  takes:   one of {}, or the path of a .toml file\n",
          entry.key, entry.field->fields->presets,
          fmt::join(preset_names(entry.field->fields->presets), ", "));
    }
    known.push_back(plain(entry.key));
  });
  if (!out.empty()) return out;
  // A bare name: "strategy" is enough where the section is not in doubt.
  for_each_key([&](const KeyEntry& entry) {
    if (entry.default_value != nullptr && plain(entry.key).ends_with("." + asked)) {
      out += explain_leaf(entry);
    }
  });
  if (!out.empty()) return out;
  throw InputError(fmt::format("there is no key '{}'", key),
                   "a key such as placement.strategy, or a section such as placement",
                   did_you_mean(asked, known));
}

std::string reference_page() {
  std::string out =
      "# Keys of a scenario\n\nWritten by `moesim explain --all` from the declarations in "
      "sim/scenario/fields.\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- "
      "|\n";
  for_each_key([&](const KeyEntry& entry) {
    if (entry.default_value == nullptr) {
      out += fmt::format("\n## {}\n\n{}\n", entry.key, entry.field->fields->doc);
      if (!entry.field->fields->presets.empty()) {
        out += fmt::format("\n`preset` names a file of scenarios/{}: {}.\n",
                           entry.field->fields->presets,
                           fmt::join(preset_names(entry.field->fields->presets), ", "));
      }
      out += "\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n";
      return;
    }
    out += fmt::format(
        "| `{}` | {} | {} | {} |\n", entry.key, escaped(expectation(*entry.field)),
        escaped(default_text(*entry.field, *entry.default_value)), escaped(entry.field->doc));
  });
  return out;
}

}  // namespace moesim
