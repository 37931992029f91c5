// How even or uneven the loads of a layer's experts are.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/router/presets.hpp"
#include "sim/router/shape.hpp"

namespace moesim {

// The share of its tokens that each expert of each layer gets, drawn from the preset's
// distribution: layers x experts, each layer summing to top_k, each value below 1.
std::vector<double> draw_loads(const RouterPreset& preset, const RouterShape& shape,
                               std::uint64_t seed);

}  // namespace moesim
