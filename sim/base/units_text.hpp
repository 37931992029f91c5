// Values with units as people write them ("400 Gbps", "64 MiB", "500 ms") and read them.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "sim/base/units.hpp"

namespace moesim {

// What a quantity is called, and its units from small to large.
struct UnitFamily {
  std::string_view what;      // "a time", for messages
  std::string_view examples;  // "\"500 ms\", \"2 s\"", for messages
  std::string_view base;      // unit of a bare number, as the JSON suffix has it: "s"
};

template <class Q>
const UnitFamily& unit_family();

// The quantity, or what is wrong with the text. A bare number is in base units.
template <class Q>
std::variant<Q, std::string> parse_quantity(std::string_view text);

// The shortest text that reads back to the same value: "64 MiB", "1.5 ms".
template <class Q>
std::string to_text(Q quantity);

// Three significant digits with a display unit, for tables: "12.3 ms", "1.20 GB/s".
template <class Q>
std::string to_display(Q quantity);

// Any finite double, shortest digits that read back to the same value.
std::string number_text(double value);

}  // namespace moesim
