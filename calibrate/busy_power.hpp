// What a GPU draws while it computes, as the loops of a measurement drew.
//
//   energy = idle power x (time - computing) + sum over kinds of kernels of seconds x power
//
// A loop keeps the GPU full: kernels of small batches draw less, so this is a bound from above.
#pragma once

#include <optional>

#include "sim/base/dtype.hpp"
#include "sim/base/units.hpp"

namespace moesim {

struct Profile;

struct BusyPower {
  Watts attention{0};
  Watts dense{0};
  Watts experts{0};

  friend bool operator==(const BusyPower&, const BusyPower&) = default;
};

// By the profile's energy points; dense GEMMs by one in the format of `weights`, or the nearest
// that was run. A kind of kernel without a point takes that of the most similar one. None where
// the profile has no energy points of these.
std::optional<BusyPower> busy_power(const Profile& profile, Dtype weights);

}  // namespace moesim
