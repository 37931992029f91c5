// Which section of a profile answers for a number format.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "calibrate/profile.hpp"

namespace moesim {

// Formats in the order in which they may stand in for `dtype`, itself first: same bytes per
// weight and same tensor cores before others.
std::vector<Dtype> stand_ins(Dtype dtype);

// The first section that `fits`, by stand-in order then by place in the list; null if none.
template <class Section, class Fits>
const Section* choose_section(const std::vector<Section>& sections, Dtype dtype, Fits&& fits) {
  for (const Dtype candidate : stand_ins(dtype)) {
    for (const Section& section : sections) {
      if (section.key.dtype == candidate && fits(section)) return &section;
    }
  }
  return nullptr;
}

// What a stand-in adds to the error, and what its note says.
inline constexpr double kStandInError = 0.15;
std::string describe(const KernelKey& key, Dtype asked);

}  // namespace moesim
