// Policies by name: one visible table per kind, in one .cpp; nothing registers itself.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostics.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

template <class Make>
struct Entry {
  std::string_view name;
  std::string_view summary;  // one line for `moesim list`
  Make make;
};

template <class Make>
std::vector<std::string> names_of(std::span<const Entry<Make>> table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

// The entry called `name`; throws InputError that lists what there is.
// `kind` completes the message: "placement strategy".
template <class Make>
const Entry<Make>& find_entry(std::span<const Entry<Make>> table, std::string_view name,
                              std::string_view kind) {
  for (const auto& entry : table) {
    if (entry.name == name) return entry;
  }
  const auto names = names_of(table);
  std::string list;
  for (const auto& known : names) list += (list.empty() ? "" : ", ") + known;
  throw InputError("unknown " + std::string(kind) + " '" + std::string(name) + "'",
                   "one of " + list, did_you_mean(name, names));
}

}  // namespace moesim
