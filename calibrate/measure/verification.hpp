// Each kernel against a computation on the host, before anything is believed of its time.
#pragma once

#include <string>
#include <vector>

#include "calibrate/measure/measure.hpp"
#include "calibrate/measure/plan.hpp"

namespace moesim {

struct Verified {
  Operation op;
  std::string refusal;  // why it could not be run here; else empty
  std::string failure;  // the device's own error while it ran; else empty
  Verification result;

  [[nodiscard]] bool right() const {
    return refusal.empty() && failure.empty() && result.error <= result.tolerance;
  }
  [[nodiscard]] bool wrong() const { return refusal.empty() && !right(); }
};

// Small, and off every round size: each kind of operation, format, back end and pattern.
std::vector<Operation> verification_operations(const DeviceFacts& facts);

// A failing operation is written down. Throws WorldError where the device has failed.
Verified verify_one(MeasuredDevice& device, const Operation& op);

// All of them in this process; a failing device ends it: what is left is not run.
std::vector<Verified> verify_all(MeasuredDevice& device, const Selection& selection = {});

// One line per operation: "right  gemm fp8 ...  error 0.002 of 0.03 allowed".
std::string verification_report(const std::vector<Verified>& results);

// Takes jobs whose kernel gave a wrong result out of the plan; they come back as refusals.
std::vector<Refusal> drop_wrong(Plan& plan, const std::vector<Verified>& results);

}  // namespace moesim
