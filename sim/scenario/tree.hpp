// A TOML document as a plain tree that remembers where each key and value stood, so that files,
// presets and --set overrides can be laid over one another and still be pointed at.
// (toml++ nodes lose their place when they are copied; only tree.cpp includes toml++.)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/base/diagnostics.hpp"

namespace moesim {

// A text that was read: a file, or one --set argument.
struct SourceText {
  std::string name;
  std::vector<std::string> lines;
};

SourceText source_text(std::string name, std::string_view content);

// A place in a source, light enough to keep one per value. Lines and columns count from 1.
struct Span {
  std::shared_ptr<const SourceText> source;
  int line = 0;
  int column = 0;
};

Place place_of(const Span& span);

using Scalar = std::variant<bool, std::int64_t, double, std::string>;

struct KeyedNode;

// A date or time, which no key takes; kept so that the message can say so.
struct OtherValue {
  std::string what;
};

struct Node {
  using Table = std::vector<KeyedNode>;  // in the order of the source
  using List = std::vector<Node>;

  Span key;    // where the key stands; the value itself for list elements
  Span value;  // where the value stands
  std::variant<Table, List, Scalar, OtherValue> content;

  [[nodiscard]] const Table* table() const { return std::get_if<Table>(&content); }
  [[nodiscard]] const List* list() const { return std::get_if<List>(&content); }
  [[nodiscard]] const Scalar* scalar() const { return std::get_if<Scalar>(&content); }
};

struct KeyedNode {
  std::string key;
  Node node;
};

// "a table", "text", "a number": for messages.
std::string kind_of(const Node& node);

const Node* find(const Node& table, std::string_view key);

// The document's top table. A syntax error or a duplicate key is told in `diagnostics`, and
// what there is before it is lost: an empty table comes back.
Node parse_toml(std::shared_ptr<const SourceText> source, std::string_view content,
                Diagnostics& diagnostics);

// `upper` laid over `lower`: tables merge key by key, anything else is replaced.
void lay_over(Node& lower, Node upper);

// --set key.path=value laid over `root`. The value is TOML; what is not is taken as text, so
// that quotes can be left out: --set placement.strategy=eplb. `tenant[0]` (or `tenant.0`) is an
// element of a list.
void set_override(Node& root, std::string_view argument, Diagnostics& diagnostics);

}  // namespace moesim
