// The checks of verification.hpp in a process of their own. A kernel that faults takes the GPU
// from its process for good, and one that hangs never returns: here that ends a child, its
// family is written down as failed, and the next child checks the rest.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "calibrate/measure/verification.hpp"

namespace moesim {

// Of the operation with this number in verification_operations().
struct ApartCheck {
  std::size_t operation = 0;
  std::string refusal;
  std::string failure;
  Verification result;
};

struct Apart {
  std::function<std::unique_ptr<MeasuredDevice>()> open;  // called in the child alone
  Selection selection;
  Seconds starting{120};              // what starting the device may take: libraries load cold
  Seconds patience{45};               // what one operation may
  std::function<bool()> interrupted;  // may be empty
};

// Before this process opens the device itself: CUDA does not survive a fork. Empty where the
// device cannot be opened there. Throws WorldError where no process can be started.
std::vector<ApartCheck> verify_apart(const Apart& how);

// Once the device is open here too.
std::vector<Verified> with_operations(const std::vector<ApartCheck>& checks,
                                      const DeviceFacts& facts);

}  // namespace moesim
