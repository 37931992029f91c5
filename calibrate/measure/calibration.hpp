// The walk of `moesim calibrate` without a subcommand, from a device and its verified kernels
// on: plan, measure, write the raw points.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "calibrate/measure/measure.hpp"
#include "calibrate/measure/verification.hpp"

namespace moesim {

struct MeasureOptions {
  std::string backend = "cuda";  // or "cpu": a demonstration
  int gpu = 0;
  Seconds budget{180};
  std::uint64_t seed = 1;
  std::vector<std::string> models;  // names or files whose shapes are added
  Selection selection;              // of the operations to verify and measure
  std::filesystem::path output = "calibration";
};

inline constexpr Seconds kQuickBudget{30};

// "cuda" or "cpu"; InputError for another. WorldError says what is missing.
std::unique_ptr<MeasuredDevice> open_device(const MeasureOptions& options);

struct Calibration {
  DeviceFacts facts;
  std::vector<Verified> verified;
  Measurement measurement;
  std::vector<std::filesystem::path> files;  // raw tables; empty where there are no points
};

// `verified`: the checks of this device's kernels; what failed is not timed. `models` is the
// folder of model files. The clock is the machine's own.
Calibration calibrate_device(MeasuredDevice& device, std::vector<Verified> verified,
                             const MeasureOptions& options, const std::filesystem::path& models,
                             const std::function<void(std::size_t done, std::size_t expected,
                                                      Seconds left, const Job&)>& progress,
                             const std::function<bool()>& interrupted);

// What was measured, in lines for a person: points by family, convergence, throttling, what
// was left out.
std::string calibration_report(const Calibration& calibration);

}  // namespace moesim
