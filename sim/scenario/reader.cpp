// TOML tree -> Scenario, telling everything that is wrong on the way.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <system_error>

#include "sim/base/errors.hpp"
#include "sim/base/spelling.hpp"
#include "sim/scenario/fields.hpp"
#include "sim/scenario/presets.hpp"
#include "sim/scenario/scenario.hpp"
#include "topology/import.hpp"

namespace moesim {

namespace fs = std::filesystem;

namespace {

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// Where else a key of this name lives: "'tp' is a key of [serving]".
std::string elsewhere(std::string_view key) {
  for (const Field& section : scenario_fields().fields) {
    if (section.fields != nullptr && section.fields->find(key) != nullptr) {
      return fmt::format("'{}' is a key of [{}]", key, section.name);
    }
  }
  if (scenario_fields().find(key) != nullptr) {
    return fmt::format("'{}' is a key outside of all sections", key);
  }
  return {};
}

class Reader {
 public:
  Reader(fs::path beside, Diagnostics& diagnostics, Places& places)
      : beside_(std::move(beside)), diagnostics_(diagnostics), places_(places) {}

  // `path` is the table's own key: "" for the scenario, "traffic.arrivals".
  void read_table(const FieldTable& fields, void* owner, Node& node, const std::string& path) {
    bool has_preset = true;
    if (!fields.presets.empty()) {
      const Names keep = fields.part_of_preset ? fields.names() : Names{};
      has_preset = apply_preset(node, fields.presets, beside_, keep, diagnostics_);
    }
    for (KeyedNode& entry : *std::get_if<Node::Table>(&node.content)) {
      if (entry.key == "preset" && !fields.presets.empty()) {
        places_.put(join(path, entry.key), entry.node.value);
        continue;
      }
      const Field* field = fields.find(entry.key);
      if (field == nullptr) {
        tell_unknown(fields, entry, path);
      } else {
        read_field(*field, owner, entry.node, join(path, entry.key));
      }
    }
    if (has_preset) tell_missing(fields, node, path);
  }

 private:
  void read_field(const Field& field, void* owner, Node& node, const std::string& path) {
    if (node.value.line > 0) places_.put(path, node.value);
    if (field.kind == FieldKind::table) {
      if (node.table() == nullptr) return tell_kind(field, node, path);
      read_table(*field.fields, field.member(owner), node, path);
    } else if (field.kind == FieldKind::tables) {
      read_list(field, owner, node, path);
    } else {
      const auto checked = check_value(field, node);
      if (const auto* problem = std::get_if<BadValue>(&checked)) {
        diagnostics_.error(place_of(node.value), fmt::format("{} {}", path, problem->message),
                           problem->expected, problem->hint);
      } else {
        field.store(owner, found_beside(field, std::get<Value>(checked)));
      }
    }
  }

  // A file's path as it can be opened from here: beside the scenario if it is there, else as
  // given (on the command line, or in a resolved.toml, it is relative to the current folder).
  [[nodiscard]] Value found_beside(const Field& field, const Value& value) const {
    const auto* scalar = std::get_if<Scalar>(&value);
    const auto* text = scalar != nullptr ? std::get_if<std::string>(scalar) : nullptr;
    if (!field.names_file || text == nullptr || text->empty() || !field.names_file(*text)) {
      return value;
    }
    std::error_code problem;
    const fs::path beside = (beside_ / *text).lexically_normal();
    return fs::exists(beside, problem) ? Scalar(beside.string()) : *scalar;
  }

  void read_list(const Field& field, void* owner, Node& node, const std::string& path) {
    auto* list = std::get_if<Node::List>(&node.content);
    if (list == nullptr) return tell_kind(field, node, path);
    for (std::size_t i = 0; i < list->size(); ++i) {
      Node& element = (*list)[i];
      const std::string name = fmt::format("{}[{}]", path, i);
      if (element.table() == nullptr) {
        tell_kind(field, element, name);
      } else {
        places_.put(name, element.value);
        read_table(*field.fields, field.element_at(owner, i), element, name);
      }
    }
  }

  void tell_kind(const Field& field, const Node& node, const std::string& path) {
    const std::string how = field.kind == FieldKind::tables
                                ? fmt::format("tables, each under [[{}]]", path)
                                : fmt::format("a table: [{}] with keys {}", path,
                                              fmt::join(field.fields->names(), ", "));
    diagnostics_.error(place_of(node.value), fmt::format("{} is {}", path, kind_of(node)), how);
  }

  void tell_unknown(const FieldTable& fields, const KeyedNode& entry, const std::string& path) {
    const Names names = fields.names();
    std::string hint = did_you_mean(entry.key, names);
    if (const std::string other = elsewhere(entry.key); !other.empty()) hint = other;
    const std::string where =
        path.empty() ? std::string("a scenario") : fmt::format("[{}]", path);
    diagnostics_.error(place_of(entry.node.key),
                       fmt::format("{} has no key '{}'", where, entry.key),
                       fmt::format("one of {}", fmt::join(names, ", ")), std::move(hint));
  }

  void tell_missing(const FieldTable& fields, const Node& node, const std::string& path) {
    Names missing;
    for (const Field& field : fields.fields) {
      const bool excused = !field.unless.empty() && find(node, field.unless) != nullptr;
      if (field.is_required && !excused && find(node, field.name) == nullptr) {
        missing.push_back(field.name);
      }
    }
    if (missing.empty()) return;
    std::string expected;
    if (!fields.presets.empty() && find(node, "preset") == nullptr) {
      expected = fmt::format("preset = one of {}, or these keys",
                             fmt::join(preset_names(fields.presets), ", "));
    }
    diagnostics_.error(place_of(node.key),
                       fmt::format("[{}] does not say {}", path, fmt::join(missing, ", ")),
                       expected);
  }

  fs::path beside_;
  Diagnostics& diagnostics_;
  Places& places_;
};

// Sections that must be there even when the file does not mention them: they have required
// keys.
void add_absent_sections(Node& root) {
  auto& top = std::get<Node::Table>(root.content);
  for (const Field& section : scenario_fields().fields) {
    if (section.kind != FieldKind::table || find(root, section.name) != nullptr) continue;
    const Span nowhere{root.value.source, 0, 0};
    top.push_back({section.name, Node{nowhere, nowhere, Node::Table{}}});
  }
}

// A foreign topology file stands for its cluster from here on: the rest sees nodes and cables.
void import_cluster(const fs::path& beside, const Place& place, ClusterOptions& cluster,
                    Diagnostics& diagnostics) {
  if (cluster.fabric != "import") return;
  const fs::path near = beside / cluster.file;
  if (!cluster.file.empty() && fs::exists(near)) cluster.file = near.string();
  try {
    cluster = imported(cluster);
  } catch (const InputError& error) {
    for (const Diagnostic& d : error.diagnostics()) {
      diagnostics.error(d.place.file.empty() ? place : d.place, d.message, d.expected, d.hint);
    }
  } catch (const WorldError& error) {
    diagnostics.error(place, fmt::format("cluster.file: {}", error.what()),
                      "a file that can be read; its path starts at the scenario's folder or at "
                      "the current one");
  }
}

Scenario read_root(Node root, const fs::path& beside, const std::vector<std::string>& overrides,
                   Diagnostics& diagnostics) {
  Scenario scenario;
  if (diagnostics.has_errors()) return scenario;
  if (root.table()->empty()) {
    diagnostics.error({root.value.source->name, 0, 0, {}}, "the scenario is empty",
                      "at least [model] preset = \"...\" and [cluster] preset = \"...\"",
                      "scenarios/quickstart.toml is one to start from");
    return scenario;
  }
  for (const std::string& argument : overrides) set_override(root, argument, diagnostics);
  add_absent_sections(root);
  Reader(beside, diagnostics, scenario.places)
      .read_table(scenario_fields(), &scenario, root, "");
  if (!diagnostics.has_errors()) {
    import_cluster(beside, scenario.places.of("cluster.file"), scenario.cluster, diagnostics);
  }
  return scenario;
}

template <class O>
O read_preset(std::string_view name, const char* kind, const FieldTable& fields) {
  Diagnostics diagnostics;
  const auto source = std::make_shared<const SourceText>(SourceText{std::string(kind), {}});
  const Span here{source, 0, 0};
  Node section{here, here, Node::Table{}};
  std::get<Node::Table>(section.content)
      .push_back({"preset", Node{here, here, Scalar(std::string(name))}});
  O value;
  Places places;
  Reader(fs::path(), diagnostics, places).read_table(fields, &value, section, kind);
  diagnostics.throw_if_errors();
  return value;
}

}  // namespace

Place Places::of(std::string_view key) const {
  while (true) {
    if (const auto found = spans_.find(key); found != spans_.end()) {
      return place_of(found->second);
    }
    const auto dot = key.find_last_of(".[");
    if (dot == std::string_view::npos) return {};
    key = key.substr(0, dot);
  }
}

Scenario read_scenario(const fs::path& path, const std::vector<std::string>& overrides,
                       Diagnostics& diagnostics) {
  Node root = read_tree(path, {}, diagnostics);
  return read_root(std::move(root), path.parent_path(), overrides, diagnostics);
}

Scenario read_scenario_text(std::string_view content, const std::string& name,
                            const std::vector<std::string>& overrides,
                            Diagnostics& diagnostics) {
  auto source = std::make_shared<const SourceText>(source_text(name, content));
  Node root = parse_toml(std::move(source), content, diagnostics);
  return read_root(std::move(root), fs::path(name).parent_path(), overrides, diagnostics);
}

ModelShape read_model(std::string_view name) {
  return read_preset<ModelShape>(name, "model", model_fields());
}

ClusterOptions read_system(std::string_view name) {
  return read_preset<ClusterOptions>(name, "cluster", cluster_fields());
}

}  // namespace moesim
