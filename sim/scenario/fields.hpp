// Every scenario key is declared once, here and in fields/SECTION.cpp; the TOML reader, the
// resolved.toml writer, the JSON Schema, `explain` and the reference page are visitors of it.
//
// To add a key: one member in the section's options struct, with its default, and one line in
// sim/scenario/fields/SECTION.cpp:
//
//   field(MOESIM_KEY(kv_block), "Tokens per KV cache block").range(1, 65536),
//
// The kind and the unit follow from the member's type: bool, int, std::uint64_t, double, a
// Quantity ("400 Gbps"), std::string, std::vector of numbers or texts. Further kinds:
//   choice(MOESIM_KEY(mode), "...", {{"none", Overlap::none}, ...})     an enum
//   table(MOESIM_KEY(rebalance), "...", rebalance_fields())             a struct of its own
//   table(MOESIM_KEY(input_tokens), "...", length_fields())             also a std::optional
//   tables("tenant", &O::tenants, "...", tenant_fields())               [[traffic.tenant]]
// A text key may name its choices (`.one_of(function)`: a registry's names) or suggest them
// (`.suggest(function)`: anything else is taken too, such as a path), and may take numbers
// (`.or_number()`), or be a file's path (`.path()`). The default is what the member has in a
// default-constructed Scenario.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sim/base/units_text.hpp"
#include "sim/scenario/tree.hpp"

namespace moesim {

using Value = std::variant<Scalar, std::vector<Scalar>>;
using Names = std::vector<std::string>;

enum class FieldKind { boolean, integer, number, quantity, text, choice, list, table, tables };

struct FieldTable;

// How a quantity is read and written, with its type erased.
struct UnitCodec {
  const UnitFamily* family = nullptr;
  std::variant<double, std::string> (*parse)(std::string_view) = nullptr;
  std::string (*write)(double) = nullptr;
};

struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false;  // min itself is outside

  [[nodiscard]] bool holds(double value) const {
    return value <= max && (above_min ? value > min : value >= min);
  }
};

struct Field {
  std::string name;
  std::string doc;
  FieldKind kind = FieldKind::text;
  FieldKind element = FieldKind::number;             // of a list
  UnitCodec unit;                                    // quantity
  Range limits;                                      // numbers
  std::function<Names()> choices;                    // text and choice
  bool open_choices = false;                         // other texts than `choices` are taken too
  bool takes_numbers = false;                        // text: 0.5 is "0.5"
  std::function<bool(std::string_view)> names_file;  // text: whether it is a file's path
  std::string unless;        // ... is_required, unless this key of the same table is there
  bool is_required = false;  // must be in the file or in a preset
  std::string unset_means;   // what the default stands for where it is no value of its own

  // Leaves: the member of the struct at `owner`, as a value of the field's kind.
  std::function<void(void* owner, const Value&)> store;
  std::function<Value(const void* owner)> load;
  // Tables: the struct's members are those of `fields`.
  const FieldTable* fields = nullptr;
  std::function<bool(const void* owner)> present;       // table: a std::optional; else unset
  std::function<void*(void* owner)> member;             // table; makes an absent one
  std::function<std::size_t(const void* owner)> count;  // tables
  std::function<void*(void* owner, std::size_t index)> element_at;  // tables; grows the list

  Field& range(double min) { return range(min, limits.max); }  // to what the member can hold
  Field& range(double min, double max) {
    limits = {min, max, false};
    return *this;
  }
  Field& above(double min) { return above(min, limits.max); }
  Field& above(double min, double max) {
    limits = {min, max, true};
    return *this;
  }
  Field& one_of(std::function<Names()> names) {
    choices = std::move(names);
    return *this;
  }
  Field& suggest(std::function<Names()> names) {
    choices = std::move(names);
    open_choices = true;
    return *this;
  }
  Field& or_number() { return takes_numbers = true, *this; }
  // A path relative to the scenario's folder, where `which` says that the text is a path.
  Field& path(std::function<bool(std::string_view)> which = [](auto) { return true; }) {
    names_file = std::move(which);
    return *this;
  }
  Field& required() { return is_required = true, *this; }
  Field& required_unless(std::string key) {
    is_required = true;
    unless = std::move(key);
    return *this;
  }
  // The default is a marker ("0: all GPUs"), left out of resolved.toml and of range checks.
  Field& unset(std::string meaning) {
    unset_means = std::move(meaning);
    return *this;
  }
};

struct FieldTable {
  std::string doc;
  std::string presets;  // folder under scenarios/ with files that `preset` may name
  std::vector<Field> fields;
  bool part_of_preset = false;  // a preset file may have further keys, which do not apply here

  [[nodiscard]] const Field* find(std::string_view name) const;
  [[nodiscard]] Names names() const;  // `preset` included
};

// The whole scenario: its own keys and its sections.
const FieldTable& scenario_fields();

// The sections, one file each in sim/scenario/fields/.
const FieldTable& model_fields();
const FieldTable& cluster_fields();
const FieldTable& calibration_fields();
const FieldTable& placement_fields();
const FieldTable& router_fields();
const FieldTable& serving_fields();
const FieldTable& training_fields();
const FieldTable& traffic_fields();
const FieldTable& fault_fields();
const FieldTable& scale_fields();
const FieldTable& slo_fields();
const FieldTable& sweep_fields();

// Checks `value` against the field's kind, unit, range and choices.
struct BadValue {
  std::string message;   // follows the key: "is 'soon', which does not begin with a number"
  std::string expected;  // "a time such as ..."
  std::string hint;
};
// The value as `store` takes it, or what is wrong with it.
std::variant<Value, BadValue> check_value(const Field& field, const Node& node);

// "an integer, at least 1": what a field takes.
std::string expectation(const Field& field);

// --- how a struct's member becomes a Field ---

#define MOESIM_KEY(member) #member, &O::member

namespace fields_detail {

template <class M>
struct Codec;  // no such kind of member: add it here

template <>
struct Codec<bool> {
  static constexpr FieldKind kind = FieldKind::boolean;
  static bool from(const Scalar& s) { return std::get<bool>(s); }
  static Scalar to(bool v) { return v; }
};
template <class I>
struct IntegerCodec {
  static constexpr FieldKind kind = FieldKind::integer;
  static I from(const Scalar& s) { return static_cast<I>(std::get<std::int64_t>(s)); }
  static Scalar to(I v) { return static_cast<std::int64_t>(v); }
};
template <>
struct Codec<int> : IntegerCodec<int> {};
template <>
struct Codec<std::int64_t> : IntegerCodec<std::int64_t> {};
template <>
struct Codec<std::uint64_t> : IntegerCodec<std::uint64_t> {};
template <>
struct Codec<double> {
  static constexpr FieldKind kind = FieldKind::number;
  static double from(const Scalar& s) { return std::get<double>(s); }
  static Scalar to(double v) { return v; }
};
template <>
struct Codec<std::string> {
  static constexpr FieldKind kind = FieldKind::text;
  static std::string from(const Scalar& s) { return std::get<std::string>(s); }
  static Scalar to(const std::string& v) { return v; }
};
template <Dimension D>
struct Codec<Quantity<D>> {
  static constexpr FieldKind kind = FieldKind::quantity;
  static Quantity<D> from(const Scalar& s) { return Quantity<D>{std::get<double>(s)}; }
  static Scalar to(Quantity<D> v) { return v.value; }
};

template <class Q>
UnitCodec unit_codec() {
  return {&unit_family<Q>(),
          [](std::string_view text) -> std::variant<double, std::string> {
            auto parsed = parse_quantity<Q>(text);
            if (auto* problem = std::get_if<std::string>(&parsed)) return std::move(*problem);
            return std::get<Q>(parsed).value;
          },
          [](double value) { return to_text(Q{value}); }};
}

template <class M>
void describe_leaf(Field& field) {
  if constexpr (Codec<M>::kind == FieldKind::quantity) field.unit = unit_codec<M>();
  if constexpr (std::is_same_v<M, int>) {
    field.limits = {std::numeric_limits<int>::min(), std::numeric_limits<int>::max(), false};
  } else if constexpr (std::is_same_v<M, std::uint64_t>) {
    field.limits.min = 0;
  }
}

}  // namespace fields_detail

template <class O, class M>
Field field(std::string name, M O::*member, std::string doc) {
  using C = fields_detail::Codec<M>;
  Field f{.name = std::move(name), .doc = std::move(doc), .kind = C::kind};
  fields_detail::describe_leaf<M>(f);
  f.store = [member](void* owner, const Value& value) {
    static_cast<O*>(owner)->*member = C::from(std::get<Scalar>(value));
  };
  f.load = [member](const void* owner) {
    return Value(C::to(static_cast<const O*>(owner)->*member));
  };
  return f;
}

template <class O, class E>
Field field(std::string name, std::vector<E> O::*member, std::string doc) {
  using C = fields_detail::Codec<E>;
  Field f{.name = std::move(name), .doc = std::move(doc), .kind = FieldKind::list};
  f.element = C::kind;
  fields_detail::describe_leaf<E>(f);
  f.store = [member](void* owner, const Value& value) {
    auto& list = static_cast<O*>(owner)->*member;
    list.clear();
    for (const Scalar& s : std::get<std::vector<Scalar>>(value)) list.push_back(C::from(s));
  };
  f.load = [member](const void* owner) {
    std::vector<Scalar> list;
    for (const auto& e : static_cast<const O*>(owner)->*member) list.push_back(C::to(e));
    return Value(std::move(list));
  };
  return f;
}

template <class O, class E>
Field choice(std::string name, E O::*member, std::string doc,
             std::vector<std::pair<std::string, std::type_identity_t<E>>> names) {
  Field f{.name = std::move(name), .doc = std::move(doc), .kind = FieldKind::choice};
  f.choices = [names] {
    Names list;
    for (const auto& [text, value] : names) list.push_back(text);
    return list;
  };
  f.store = [names, member](void* owner, const Value& value) {
    for (const auto& [text, e] : names) {
      if (text == std::get<std::string>(std::get<Scalar>(value))) {
        static_cast<O*>(owner)->*member = e;
      }
    }
  };
  f.load = [names, member](const void* owner) {
    for (const auto& [text, e] : names) {
      if (static_cast<const O*>(owner)->*member == e) return Value(Scalar(text));
    }
    return Value(Scalar(std::string()));
  };
  return f;
}

template <class O, class M>
Field table(std::string name, M O::*member, std::string doc, const FieldTable& fields) {
  Field f{.name = std::move(name), .doc = std::move(doc), .kind = FieldKind::table};
  f.fields = &fields;
  f.member = [member](void* owner) -> void* { return &(static_cast<O*>(owner)->*member); };
  return f;
}

template <class O, class M>
Field table(std::string name, std::optional<M> O::*member, std::string doc,
            const FieldTable& fields) {
  Field f{.name = std::move(name), .doc = std::move(doc), .kind = FieldKind::table};
  f.fields = &fields;
  f.member = [member](void* owner) -> void* {
    auto& held = static_cast<O*>(owner)->*member;
    return held ? &*held : &held.emplace();
  };
  f.present = [member](const void* owner) {
    return (static_cast<const O*>(owner)->*member).has_value();
  };
  return f;
}

template <class O, class E>
Field tables(std::string name, std::vector<E> O::*member, std::string doc,
             const FieldTable& fields) {
  Field f{.name = std::move(name), .doc = std::move(doc), .kind = FieldKind::tables};
  f.fields = &fields;
  f.count = [member](const void* owner) {
    return (static_cast<const O*>(owner)->*member).size();
  };
  f.element_at = [member](void* owner, std::size_t index) -> void* {
    auto& list = static_cast<O*>(owner)->*member;
    if (list.size() <= index) list.resize(index + 1);
    return &list[index];
  };
  return f;
}

}  // namespace moesim
