#include "sim/scenario/presets.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

namespace fs = std::filesystem;

std::vector<std::string> preset_names(std::string_view folder) {
  std::vector<std::string> names;
  std::error_code problem;
  for (const auto& file :
       fs::directory_iterator(data_folder() / "scenarios" / folder, problem)) {
    if (file.path().extension() == ".toml") names.push_back(file.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

namespace {

// As short as the reader can follow it from where they are.
std::string shown(const fs::path& path) {
  std::error_code problem;
  const fs::path near = fs::proximate(path, problem);
  const bool below = !problem && !near.empty() && *near.begin() != "..";
  return below ? near.string() : path.string();
}

}  // namespace

Node read_tree(const fs::path& path, const Span& asked, Diagnostics& diagnostics) {
  std::string content;
  try {
    content = read_file(path);
  } catch (const WorldError& problem) {
    const std::string expected = "a TOML file";
    Place place = asked.source ? place_of(asked) : Place{path.string(), 0, 0, {}};
    diagnostics.error(std::move(place), problem.what(), expected);
    return Node{asked, asked, Node::Table{}};
  }
  auto source = std::make_shared<const SourceText>(source_text(shown(path), content));
  return parse_toml(std::move(source), content, diagnostics);
}

namespace {

// The file that `preset = TEXT` means; tells when there is none.
std::optional<fs::path> preset_path(const Node& asked, std::string_view kind,
                                    const fs::path& beside, Diagnostics& diagnostics) {
  const auto* text = asked.scalar() ? std::get_if<std::string>(asked.scalar()) : nullptr;
  const std::vector<std::string> names = preset_names(kind);
  const std::string expected =
      fmt::format("one of {}, or the path of a .toml file", fmt::join(names, ", "));
  if (text == nullptr) {
    diagnostics.error(place_of(asked.value), fmt::format("preset is {}", kind_of(asked)),
                      expected);
    return std::nullopt;
  }
  if (text->ends_with(".toml")) return beside / *text;
  if (std::ranges::find(names, *text) == names.end()) {
    diagnostics.error(place_of(asked.value),
                      fmt::format("there is no preset '{}' in scenarios/{}", *text, kind),
                      expected, did_you_mean(*text, names));
    return std::nullopt;
  }
  return data_folder() / "scenarios" / kind / (*text + ".toml");
}

}  // namespace

bool apply_preset(Node& section, std::string_view kind, const fs::path& beside,
                  const std::vector<std::string>& keep, Diagnostics& diagnostics) {
  const Node* asked = find(section, "preset");
  if (asked == nullptr) return true;
  const auto path = preset_path(*asked, kind, beside, diagnostics);
  if (!path) return false;
  Diagnostics own;
  Node preset = read_tree(*path, asked->value, own);
  diagnostics.append(own);
  if (own.has_errors()) return false;
  auto& entries = std::get<Node::Table>(preset.content);
  if (!keep.empty()) {
    std::erase_if(entries, [&](const KeyedNode& entry) {
      return std::ranges::find(keep, entry.key) == keep.end();
    });
  }
  // Its `preset` would not be followed: one level is all there is.
  if (const Node* nested = find(preset, "preset")) {
    diagnostics.error(place_of(nested->key), "a preset cannot name another preset");
  }
  preset.key = section.key;
  preset.value = section.value;
  lay_over(preset, std::move(section));
  section = std::move(preset);
  return true;
}

}  // namespace moesim
