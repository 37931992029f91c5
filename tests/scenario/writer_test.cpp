#include <catch2/catch.hpp>

#include "sim/base/rng.hpp"
#include "sim/scenario/fields.hpp"
#include "sim/scenario/reference.hpp"
#include "tests/scenario/support.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

// Any value the field takes.
Scalar any_scalar(const Field& field, FieldKind kind, Stream& stream) {
  const double low = std::max(field.limits.min, -1e9), high = std::min(field.limits.max, 1e9);
  switch (kind) {
    case FieldKind::boolean:
      return stream.uniform() < 0.5;
    case FieldKind::integer:
      return static_cast<std::int64_t>(low + std::floor(stream.uniform() * (high - low)));
    case FieldKind::number:
    case FieldKind::quantity:
      return low + stream.open_uniform() * (high - low);
    default:
      break;
  }
  if (field.choices && !field.open_choices) {
    const Names names = field.choices();
    return names[stream.below(names.size())];
  }
  std::string text;
  for (std::uint64_t n = stream.below(12); n > 0; --n) {
    text +=
        static_cast<char>(1 + stream.below(127));  // quotes, backslashes, control characters
  }
  return text + (stream.uniform() < 0.2 ? "\xc3\xa4" : "");
}

void fill(const FieldTable& fields, void* owner, Stream& stream) {
  for (const Field& field : fields.fields) {
    if (field.kind == FieldKind::table) {
      if (!field.present || stream.uniform() < 0.5)
        fill(*field.fields, field.member(owner), stream);
    } else if (field.kind == FieldKind::tables) {
      for (std::uint64_t i = stream.below(3); i > 0; --i) {
        fill(*field.fields, field.element_at(owner, field.count(owner)), stream);
      }
    } else if (field.unset_means.empty() || stream.uniform() < 0.5) {
      if (field.kind == FieldKind::list) {
        std::vector<Scalar> list;
        for (std::uint64_t i = stream.below(4); i > 0; --i) {
          list.push_back(any_scalar(field, field.element, stream));
        }
        field.store(owner, list);
      } else {
        field.store(owner, any_scalar(field, field.kind, stream));
      }
    }
  }
}

}  // namespace

TEST_CASE("resolved.toml of any scenario reads back to an equal one, and to the same bytes") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Stream stream(seed, "any scenario");
    Scenario s;
    fill(scenario_fields(), &s, stream);
    const std::string text = resolved_toml(s);
    CAPTURE(seed, text);
    Diagnostics diagnostics;
    const Scenario back = read_scenario_text(text, "resolved.toml", {}, diagnostics);
    for (const Diagnostic& d : diagnostics.all()) FAIL_CHECK(render(d, Color::off));
    CHECK(back == s);
    CHECK(resolved_toml(back) == text);
  }
}

TEST_CASE("resolved.toml of every shipped scenario reads back to an equal one") {
  for (const std::string& file : shipped_scenarios()) {
    const Scenario s = read_file_well(file);
    CHECK(read_well(resolved_toml(s)) == s);
  }
}

TEST_CASE("resolved.toml says what a default stands for where it is no value of its own") {
  const std::string text = resolved_toml(read_well(kStart));
  CHECK(text.find("# dp: all GPUs of a stage / tp\n") != std::string::npos);
  CHECK(text.find("max_batch = 128\n") != std::string::npos);
  CHECK(text.find("nic_bandwidth = \"50 GB/s\"\n") != std::string::npos);
}

TEST_CASE("every key has a sentence, and its default is a value that it takes") {
  for_each_key([](const KeyEntry& entry) {
    CAPTURE(entry.key);
    CHECK(entry.field->doc.size() > 3);
    if (entry.default_value == nullptr || entry.field->is_required) return;
    if (!entry.field->unset_means.empty()) return;
    Node node;
    if (const auto* scalar = std::get_if<Scalar>(entry.default_value))
      node.content = *scalar;
    else
      node.content = Node::List{};
    CHECK(std::holds_alternative<Value>(check_value(*entry.field, node)));
  });
}
