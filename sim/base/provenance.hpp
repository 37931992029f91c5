// Where a number comes from; every estimate and every result section carries it.
#pragma once

#include <algorithm>
#include <string_view>

namespace moesim {

// Ordered from most to least trusted.
enum class Provenance { measured, interpolated, extrapolated, imported, assumed };

constexpr std::string_view to_text(Provenance p) {
  constexpr std::string_view names[] = {"measured", "interpolated", "extrapolated", "imported",
                                        "assumed"};
  return names[static_cast<int>(p)];
}

// A sum is only as good as its worst part.
constexpr Provenance worst(Provenance a, Provenance b) { return std::max(a, b); }

}  // namespace moesim
