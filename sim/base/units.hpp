// Quantities with dimensions: adding seconds to bytes does not compile, and
// bytes / bandwidth is seconds at compile time.
//
// Everything is stored in base units: seconds, bytes, floating-point
// operations, tokens, joules, US dollars. Display units live in units_text.hpp.
#pragma once

#include <cmath>
#include <compare>

namespace moesim {

struct Dimension {
  int time = 0;
  int bytes = 0;
  int flops = 0;
  int tokens = 0;
  int joules = 0;
  int dollars = 0;

  friend constexpr bool operator==(const Dimension&, const Dimension&) = default;

  constexpr Dimension operator+(const Dimension& o) const {
    return {time + o.time,     bytes + o.bytes,   flops + o.flops,
            tokens + o.tokens, joules + o.joules, dollars + o.dollars};
  }
  constexpr Dimension operator-(const Dimension& o) const {
    return {time - o.time,     bytes - o.bytes,   flops - o.flops,
            tokens - o.tokens, joules - o.joules, dollars - o.dollars};
  }
};

// A double with a dimension. `value` is in base units.
template <Dimension D>
struct Quantity {
  double value = 0;

  constexpr Quantity() = default;
  constexpr explicit Quantity(double v) : value(v) {}

  friend constexpr auto operator<=>(const Quantity&, const Quantity&) = default;

  constexpr Quantity operator-() const { return Quantity{-value}; }
  constexpr Quantity& operator+=(Quantity o) { return value += o.value, *this; }
  constexpr Quantity& operator-=(Quantity o) { return value -= o.value, *this; }
  constexpr Quantity& operator*=(double f) { return value *= f, *this; }
  constexpr Quantity& operator/=(double f) { return value /= f, *this; }

  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity{a.value + b.value};
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity{a.value - b.value};
  }
  friend constexpr Quantity operator*(Quantity a, double f) { return Quantity{a.value * f}; }
  friend constexpr Quantity operator*(double f, Quantity a) { return Quantity{a.value * f}; }
  friend constexpr Quantity operator/(Quantity a, double f) { return Quantity{a.value / f}; }
};

// The product or quotient of two quantities; a bare double where the dimensions cancel.
template <Dimension A, Dimension B>
constexpr auto operator*(Quantity<A> a, Quantity<B> b) {
  if constexpr (A + B == Dimension{}) {
    return a.value * b.value;
  } else {
    return Quantity<A + B>{a.value * b.value};
  }
}
template <Dimension A, Dimension B>
constexpr auto operator/(Quantity<A> a, Quantity<B> b) {
  if constexpr (A == B) {
    return a.value / b.value;
  } else {
    return Quantity<A - B>{a.value / b.value};
  }
}
template <Dimension D>
constexpr auto operator/(double f, Quantity<D> q) {
  return Quantity<Dimension{} - D>{f / q.value};
}

using Seconds = Quantity<Dimension{.time = 1}>;
using Bytes = Quantity<Dimension{.bytes = 1}>;
using Flops = Quantity<Dimension{.flops = 1}>;
using Tokens = Quantity<Dimension{.tokens = 1}>;
using Joules = Quantity<Dimension{.joules = 1}>;
using Dollars = Quantity<Dimension{.dollars = 1}>;
using BytesPerSecond = Quantity<Dimension{.time = -1, .bytes = 1}>;
using FlopsPerSecond = Quantity<Dimension{.time = -1, .flops = 1}>;
using TokensPerSecond = Quantity<Dimension{.time = -1, .tokens = 1}>;
using PerSecond = Quantity<Dimension{.time = -1}>;
using Watts = Quantity<Dimension{.time = -1, .joules = 1}>;
using DollarsPerSecond = Quantity<Dimension{.time = -1, .dollars = 1}>;

namespace literals {

#define MOESIM_LITERAL(Type, suffix, factor)                 \
  constexpr Type operator""_##suffix(long double v) {        \
    return Type{static_cast<double>(v) * (factor)};          \
  }                                                          \
  constexpr Type operator""_##suffix(unsigned long long v) { \
    return Type{static_cast<double>(v) * (factor)};          \
  }

MOESIM_LITERAL(Seconds, s, 1.0)
MOESIM_LITERAL(Seconds, ms, 1e-3)
MOESIM_LITERAL(Seconds, us, 1e-6)
MOESIM_LITERAL(Seconds, ns, 1e-9)
MOESIM_LITERAL(Bytes, B, 1.0)
MOESIM_LITERAL(Bytes, KiB, 1024.0)
MOESIM_LITERAL(Bytes, MiB, 1024.0 * 1024)
MOESIM_LITERAL(Bytes, GiB, 1024.0 * 1024 * 1024)
MOESIM_LITERAL(Bytes, KB, 1e3)
MOESIM_LITERAL(Bytes, MB, 1e6)
MOESIM_LITERAL(Bytes, GB, 1e9)
MOESIM_LITERAL(BytesPerSecond, GBps, 1e9)
MOESIM_LITERAL(BytesPerSecond, TBps, 1e12)
MOESIM_LITERAL(BytesPerSecond, Gbps, 1e9 / 8)
MOESIM_LITERAL(FlopsPerSecond, TFLOPS, 1e12)
MOESIM_LITERAL(Tokens, tokens, 1.0)
MOESIM_LITERAL(PerSecond, per_s, 1.0)

#undef MOESIM_LITERAL

}  // namespace literals

}  // namespace moesim
