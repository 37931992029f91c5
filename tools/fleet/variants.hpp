// What `--vary` says: keys and the values that each takes, and all combinations of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moesim {

struct Axis {
  std::string key;                  // "placement.strategy"
  std::vector<std::string> values;  // as `--set` takes them
};

// "key=a,b,c" (a comma in quotes or brackets separates nothing) or "key=from:to:step", both
// ends in, with a unit after the last number if need be: "traffic.arrivals.rate=10:40:5 req/s".
// Throws InputError: no key, no value, a step that leads nowhere, more than 100,000 values, a
// value twice.
// `where` is what messages call the place: an option, or a key of the scenario.
Axis parse_axis(std::string_view text, std::string_view where = "--vary");
// The same for each; throws also when two have the same key.
std::vector<Axis> parse_axes(const std::vector<std::string>& texts,
                             std::string_view where = "--vary");

struct Variant {
  int position = 0;                   // in the order of all combinations
  std::vector<std::string> values;    // of each axis
  std::vector<std::string> settings;  // "key=value" of each axis
  std::string label;                  // the values, joined by ", "
};

// The last axis changes fastest. No axis: one variant without settings. Throws InputError over
// 1,000,000 of them.
std::vector<Variant> all_variants(const std::vector<Axis>& axes);

}  // namespace moesim
