#include "sim/scenario/tree.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

namespace moesim {

namespace {

Span span_of(const std::shared_ptr<const SourceText>& source, const toml::source_region& at) {
  return {source, static_cast<int>(at.begin.line), static_cast<int>(at.begin.column)};
}

Node convert(const std::shared_ptr<const SourceText>& source, const toml::node& from);

Node::Table convert_table(const std::shared_ptr<const SourceText>& source,
                          const toml::table& from) {
  Node::Table table;
  for (const auto& [key, value] : from) {
    KeyedNode entry{std::string(key.str()), convert(source, value)};
    entry.node.key = span_of(source, key.source());
    table.push_back(std::move(entry));
  }
  std::ranges::stable_sort(table, {}, [](const KeyedNode& e) {
    return std::tuple(e.node.key.line, e.node.key.column);
  });
  return table;
}

Node convert(const std::shared_ptr<const SourceText>& source, const toml::node& from) {
  Node node;
  node.value = node.key = span_of(source, from.source());
  if (const auto* table = from.as_table()) {
    node.content = convert_table(source, *table);
  } else if (const auto* array = from.as_array()) {
    Node::List list;
    for (const toml::node& element : *array) list.push_back(convert(source, element));
    node.content = std::move(list);
  } else if (const auto* text = from.as_string()) {
    node.content = Scalar(text->get());
  } else if (const auto* integer = from.as_integer()) {
    node.content = Scalar(integer->get());
  } else if (const auto* number = from.as_floating_point()) {
    node.content = Scalar(number->get());
  } else if (const auto* flag = from.as_boolean()) {
    node.content = Scalar(flag->get());
  } else {
    node.content = OtherValue{"a date or time"};
  }
  return node;
}

}  // namespace

SourceText source_text(std::string name, std::string_view content) {
  SourceText source{std::move(name), {}};
  while (!content.empty()) {
    const std::size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    source.lines.emplace_back(line);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
  }
  return source;
}

Place place_of(const Span& span) {
  if (span.source == nullptr) return {};
  Place place{span.source->name, span.line, span.column, {}};
  const auto& lines = span.source->lines;
  if (span.line >= 1 && static_cast<std::size_t>(span.line) <= lines.size()) {
    place.line_text = lines[static_cast<std::size_t>(span.line) - 1];
  }
  return place;
}

std::string kind_of(const Node& node) {
  if (node.table() != nullptr) return "a table";
  if (node.list() != nullptr) return "a list";
  if (const auto* other = std::get_if<OtherValue>(&node.content)) return other->what;
  switch (node.scalar()->index()) {
    case 0:
      return "true or false";
    case 1:
      return "an integer";
    case 2:
      return "a number";
    default:
      return "text";
  }
}

const Node* find(const Node& table, std::string_view key) {
  if (table.table() == nullptr) return nullptr;
  for (const KeyedNode& entry : *table.table()) {
    if (entry.key == key) return &entry.node;
  }
  return nullptr;
}

Node parse_toml(std::shared_ptr<const SourceText> source, std::string_view content,
                Diagnostics& diagnostics) {
  Node root{{source, 1, 1}, {source, 1, 1}, Node::Table{}};
  try {
    const toml::table parsed = toml::parse(content, std::string_view(source->name));
    root.content = convert_table(source, parsed);
  } catch (const toml::parse_error& problem) {
    diagnostics.error(place_of(span_of(source, problem.source())),
                      fmt::format("not valid TOML: {}", problem.description()));
  }
  return root;
}

void lay_over(Node& lower, Node upper) {
  auto* below = std::get_if<Node::Table>(&lower.content);
  auto* above = std::get_if<Node::Table>(&upper.content);
  if (below == nullptr || above == nullptr) {
    lower = std::move(upper);
    return;
  }
  for (KeyedNode& entry : *above) {
    const auto same = std::ranges::find(*below, entry.key, &KeyedNode::key);
    if (same == below->end()) {
      below->push_back(std::move(entry));
    } else {
      lay_over(same->node, std::move(entry.node));
    }
  }
}

}  // namespace moesim
