#include "sim/base/units_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <span>

namespace moesim {

namespace {

struct Unit {
  std::string_view name;
  double factor;
  bool display = true;  // used when writing; the others are only read
};

template <class Q>
struct Units;

template <>
struct Units<Seconds> {
  static constexpr UnitFamily family{"a time", "\"500 ms\", \"2 s\", \"1 h\"", "s"};
  static constexpr std::array<Unit, 7> list{{{"ns", 1e-9},
                                             {"us", 1e-6},
                                             {"ms", 1e-3},
                                             {"s", 1},
                                             {"min", 60, false},
                                             {"h", 3600, false},
                                             {"d", 86400, false}}};
};
template <>
struct Units<Bytes> {
  static constexpr UnitFamily family{"a size", "\"64 MiB\", \"141 GB\"", "bytes"};
  static constexpr std::array<Unit, 9> list{{{"B", 1},
                                             {"KB", 1e3},
                                             {"MB", 1e6},
                                             {"GB", 1e9},
                                             {"TB", 1e12},
                                             {"KiB", 1024, false},
                                             {"MiB", 1048576, false},
                                             {"GiB", 1073741824, false},
                                             {"TiB", 1099511627776.0, false}}};
};
template <>
struct Units<Flops> {
  static constexpr UnitFamily family{"an amount of work", "\"2 TFLOP\"", "flops"};
  static constexpr std::array<Unit, 4> list{
      {{"FLOP", 1}, {"GFLOP", 1e9}, {"TFLOP", 1e12}, {"PFLOP", 1e15}}};
};
template <>
struct Units<Tokens> {
  static constexpr UnitFamily family{"a number of tokens", "2048", "tokens"};
  static constexpr std::array<Unit, 1> list{{{"tokens", 1}}};
};
template <>
struct Units<Joules> {
  static constexpr UnitFamily family{"an energy", "\"3 kJ\"", "joules"};
  static constexpr std::array<Unit, 4> list{
      {{"J", 1}, {"kJ", 1e3}, {"MJ", 1e6}, {"kWh", 3.6e6, false}}};
};
template <>
struct Units<Dollars> {
  static constexpr UnitFamily family{"a price", "\"2.5 USD\"", "usd"};
  static constexpr std::array<Unit, 1> list{{{"USD", 1}}};
};
template <>
struct Units<BytesPerSecond> {
  static constexpr UnitFamily family{"a bandwidth", "\"400 Gbps\", \"450 GB/s\"",
                                     "bytes_per_s"};
  static constexpr std::array<Unit, 8> list{{{"B/s", 1},
                                             {"KB/s", 1e3},
                                             {"MB/s", 1e6},
                                             {"GB/s", 1e9},
                                             {"TB/s", 1e12},
                                             {"Mbps", 1e6 / 8, false},
                                             {"Gbps", 1e9 / 8, false},
                                             {"Tbps", 1e12 / 8, false}}};
};
template <>
struct Units<FlopsPerSecond> {
  static constexpr UnitFamily family{"a compute rate", "\"989 TFLOPS\"", "flops_per_s"};
  static constexpr std::array<Unit, 4> list{
      {{"FLOPS", 1}, {"GFLOPS", 1e9}, {"TFLOPS", 1e12}, {"PFLOPS", 1e15}}};
};
template <>
struct Units<TokensPerSecond> {
  static constexpr UnitFamily family{"a token rate", "\"500 tok/s\"", "tokens_per_s"};
  static constexpr std::array<Unit, 1> list{{{"tok/s", 1}}};
};
template <>
struct Units<PerSecond> {
  static constexpr UnitFamily family{"a rate", "\"40 req/s\", \"600 req/min\"", "per_s"};
  static constexpr std::array<Unit, 5> list{{{"/s", 1},
                                             {"req/s", 1},
                                             {"req/min", 1.0 / 60, false},
                                             {"req/h", 1.0 / 3600, false},
                                             {"Hz", 1, false}}};
};
template <>
struct Units<Watts> {
  static constexpr UnitFamily family{"a power", "\"700 W\"", "watts"};
  static constexpr std::array<Unit, 2> list{{{"W", 1}, {"kW", 1e3}}};
};
template <>
struct Units<DollarsPerSecond> {
  static constexpr UnitFamily family{"a price per time", "\"2.5 USD/h\"", "usd_per_s"};
  static constexpr std::array<Unit, 1> list{{{"USD/h", 1.0 / 3600}}};
};

// The largest display unit in which the magnitude is at least one.
template <class Q>
const Unit& best_unit(double value) {
  const Unit* best = nullptr;
  for (const Unit& unit : Units<Q>::list) {
    if (unit.display && (best == nullptr || std::abs(value) >= unit.factor * 0.9999995)) {
      best = &unit;
    }
  }
  if (value == 0) {
    for (const Unit& unit : Units<Q>::list) {
      if (unit.factor == 1) return unit;
    }
  }
  return *best;
}

template <class Q>
std::string known_units() {
  std::string names;
  for (const Unit& unit : Units<Q>::list) names += fmt::format(" {}", unit.name);
  return names.substr(1);
}

}  // namespace

std::string number_text(double value) { return fmt::format("{}", value); }

template <class Q>
const UnitFamily& unit_family() {
  return Units<Q>::family;
}

template <class Q>
std::variant<Q, std::string> parse_quantity(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::string("is empty");
  text.remove_prefix(first);
  text = text.substr(0, text.find_last_not_of(" \t") + 1);

  // TOML's digit groups ("20_000") are accepted inside texts too.
  std::string digits;
  std::size_t end = 0;
  while (end < text.size()) {
    const char c = text[end];
    const bool exponent = (c == 'e' || c == 'E') && end + 1 < text.size() && !digits.empty() &&
                          (std::isdigit(static_cast<unsigned char>(text[end + 1])) != 0 ||
                           text[end + 1] == '-' || text[end + 1] == '+');
    const bool sign =
        (c == '-' || c == '+') && (end == 0 || text[end - 1] == 'e' || text[end - 1] == 'E');
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || exponent || sign) {
      digits += c;
    } else if (c != '_') {
      break;
    }
    ++end;
  }
  const std::string_view number =
      std::string_view(digits).substr(digits.starts_with('+') ? 1 : 0);
  double value = 0;
  const auto [stop, problem] =
      std::from_chars(number.data(), number.data() + number.size(), value);
  if (problem != std::errc{} || stop != number.data() + number.size() ||
      !std::isfinite(value)) {
    return fmt::format("does not begin with a number");
  }
  std::string_view unit = text.substr(end);
  unit.remove_prefix(std::min(unit.find_first_not_of(" \t"), unit.size()));
  if (unit.empty()) return Q{value};
  for (const Unit& known : Units<Q>::list) {
    if (known.name == unit) return Q{value * known.factor};
  }
  return fmt::format("has the unit '{}'; known units are {}", unit, known_units<Q>());
}

template <class Q>
std::string to_text(Q quantity) {
  const Unit& unit = best_unit<Q>(quantity.value);
  // Prefer the short text, but only where it reads back to the very same value.
  for (const Unit* candidate : {&unit}) {
    const std::string text =
        fmt::format("{} {}", quantity.value / candidate->factor, candidate->name);
    const auto back = parse_quantity<Q>(text);
    if (std::holds_alternative<Q>(back) && std::get<Q>(back) == quantity) return text;
  }
  for (const Unit& candidate : Units<Q>::list) {
    if (candidate.factor == 1) return fmt::format("{} {}", quantity.value, candidate.name);
  }
  return fmt::format("{}", quantity.value);
}

template <class Q>
std::string to_display(Q quantity) {
  const Unit& unit = best_unit<Q>(quantity.value);
  const double scaled = quantity.value / unit.factor;
  const double size = std::abs(scaled);
  const int digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", scaled, scaled == 0 ? 0 : digits, unit.name);
}

#define MOESIM_INSTANTIATE(Q)                                                \
  template const UnitFamily& unit_family<Q>();                               \
  template std::variant<Q, std::string> parse_quantity<Q>(std::string_view); \
  template std::string to_text<Q>(Q);                                        \
  template std::string to_display<Q>(Q);

MOESIM_INSTANTIATE(Seconds)
MOESIM_INSTANTIATE(Bytes)
MOESIM_INSTANTIATE(Flops)
MOESIM_INSTANTIATE(Tokens)
MOESIM_INSTANTIATE(Joules)
MOESIM_INSTANTIATE(Dollars)
MOESIM_INSTANTIATE(BytesPerSecond)
MOESIM_INSTANTIATE(FlopsPerSecond)
MOESIM_INSTANTIATE(TokensPerSecond)
MOESIM_INSTANTIATE(PerSecond)
MOESIM_INSTANTIATE(Watts)
MOESIM_INSTANTIATE(DollarsPerSecond)

}  // namespace moesim
