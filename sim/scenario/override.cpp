// --set key=value.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "sim/scenario/tree.hpp"

namespace moesim {

namespace {

struct Step {
  std::string key;
  int column;  // in the --set argument, from 1
};

// "traffic.tenant[0].share" -> traffic, tenant, 0, share.
std::vector<Step> steps_of(std::string_view path) {
  std::vector<Step> steps{{{}, 1}};
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '.' || c == '[') {
      steps.push_back({{}, static_cast<int>(i) + 2});
    } else if (c != ']') {
      steps.back().key += c;
    }
  }
  return steps;
}

std::optional<std::size_t> index_of(const std::string& key) {
  std::size_t index = 0;
  const char* end = key.data() + key.size();
  const auto [stop, problem] = std::from_chars(key.data(), end, index);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return index;
}

// As TOML sees it, which is what resolved.toml must be able to hold.
bool is_plain_text(const std::shared_ptr<const SourceText>& source, std::string_view argument) {
  Diagnostics problems;
  parse_toml(source, fmt::format("# {}\n", argument), problems);
  return !problems.has_errors() && argument.find('\n') == std::string_view::npos;
}

Node value_node(const std::shared_ptr<const SourceText>& source, std::string_view value,
                int column) {
  // Parsed as "x = value" and then moved to where it stands in the argument.
  Diagnostics ignored;
  const std::string document = fmt::format("x = {}\n", value);
  const Node parsed = parse_toml(source, document, ignored);
  Node node;
  if (!ignored.has_errors() && parsed.table()->size() == 1) {
    node = parsed.table()->front().node;
  } else {
    node.content = Scalar(std::string(value));
  }
  const auto place = [&](auto&& self, Node& n) -> void {
    n.key = n.value = {source, 1, column};
    if (auto* table = std::get_if<Node::Table>(&n.content)) {
      for (KeyedNode& entry : *table) self(self, entry.node);
    } else if (auto* list = std::get_if<Node::List>(&n.content)) {
      for (Node& element : *list) self(self, element);
    }
  };
  place(place, node);
  return node;
}

}  // namespace

void set_override(Node& root, std::string_view argument, Diagnostics& diagnostics) {
  const auto source =
      std::make_shared<const SourceText>(source_text("--set", argument.substr(0, 4096)));
  const std::size_t equals = argument.find('=');
  const auto fail = [&](int column, std::string message, std::string expected) {
    diagnostics.error(place_of({source, 1, column}), std::move(message), std::move(expected));
  };
  if (equals == std::string_view::npos) {
    return fail(static_cast<int>(argument.size()) + 1, "--set has no '='",
                "key=value, as in --set placement.strategy=eplb");
  }
  if (!is_plain_text(source, argument)) {
    return fail(1, "--set is not plain text", "UTF-8 without control characters, on one line");
  }
  const auto trimmed = [](std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return std::string_view{};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
  };
  const std::vector<Step> steps = steps_of(trimmed(argument.substr(0, equals)));
  Node* at = &root;
  bool is_new = false;
  for (const Step& step : steps) {
    const auto index = index_of(step.key);
    if (step.key.empty()) return fail(step.column, "--set has an empty key", "key=value");
    if (is_new && index) at->content = Node::List{};
    is_new = false;
    if (auto* list = std::get_if<Node::List>(&at->content)) {
      if (!index || *index > list->size()) {
        return fail(step.column, fmt::format("there is no element '{}'", step.key),
                    fmt::format("0 to {}; {} appends one", list->size(), list->size()));
      }
      if (*index == list->size()) {
        const Span here{source, 1, step.column};
        list->push_back(Node{here, here, Node::Table{}});
      }
      at = &(*list)[*index];
      continue;
    }
    if (at->table() == nullptr) at->content = Node::Table{};  // a value gives way to a table
    auto& table = std::get<Node::Table>(at->content);
    auto entry = std::ranges::find(table, step.key, &KeyedNode::key);
    if (entry == table.end()) {
      const Span here{source, 1, step.column};
      table.push_back({step.key, Node{here, here, Node::Table{}}});
      is_new = true;
      entry = std::prev(table.end());
    }
    at = &entry->node;
  }
  *at = value_node(source, trimmed(argument.substr(equals + 1)), static_cast<int>(equals) + 2);
  at->key = {source, 1, steps.back().column};
}

}  // namespace moesim
