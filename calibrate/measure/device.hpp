// What can time operations: a GPU through the CUDA module, this machine's CPU, or a fake in
// the tests.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "calibrate/measure/operation.hpp"
#include "sim/base/units.hpp"

namespace moesim {

struct DeviceFacts {
  std::string name;      // "NVIDIA H200"
  std::string system;    // key of tables and profiles: "h200_sxm"
  std::string versions;  // of driver, toolkit and libraries, for the raw points' header
  std::string library;   // "cublas-13.1.0": the tables' version column
  int gpus = 0;          // on this machine
  int compute_capability = 0;
  bool demonstration = false;  // a CPU: never to be taken for a GPU
  Bytes memory{0};
  Bytes l2_cache{0};
  BytesPerSecond memory_bandwidth{0};  // for planning only
  FlopsPerSecond flops{0};             // bf16, dense; for planning only
};

// The state of the device around one point; absent where NVML is.
struct Conditions {
  double sm_mhz = 0;
  double memory_mhz = 0;
  double temperature_c = 0;
  double power_w = 0;
  std::uint64_t throttle_reasons = 0;
};

struct EnergyLoop {
  Joules energy{0};
  Seconds time{0};
  double runs = 0;
};

struct Verification {
  double error = 0;      // largest difference / scale of the result
  double tolerance = 0;  // what the number format allows
};

// One operation went wrong; the device goes on to the next.
class OperationFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Failures of the device are WorldError: what and where. prepare, sample, energy and verify
// throw OperationFailed where it was the operation alone.
class MeasuredDevice {
 public:
  virtual ~MeasuredDevice() = default;

  [[nodiscard]] virtual const DeviceFacts& facts() const = 0;
  // Makes the operation ready and warm. Why it cannot be measured here, or nothing.
  virtual std::optional<std::string> prepare(const Operation& op) = 0;
  // The name the prepared operation's points are filed under: "cublaslt".
  [[nodiscard]] virtual std::string kernel() const = 0;
  virtual std::vector<Seconds> sample(int count) = 0;
  virtual std::optional<Conditions> conditions() = 0;
  // Repeats the prepared operation for so long; nothing where energy cannot be read.
  virtual std::optional<EnergyLoop> energy(Seconds loop) = 0;
  // Compares with a computation on the host; nothing where the device refuses the operation.
  virtual std::optional<Verification> verify(const Operation& op, std::string& why) = 0;
};

// The GPU with this number through the module moesim_cuda.so (beside the program, in
// ../lib/moesim, or at $MOESIM_CUDA_MODULE). Throws WorldError that says what is missing.
std::unique_ptr<MeasuredDevice> open_cuda_device(int ordinal);
// Where the module is looked for, in order.
std::vector<std::string> cuda_module_places();

// This machine's processor: OpenBLAS where it is found, else plain loops; threads as ranks.
std::unique_ptr<MeasuredDevice> open_cpu_device();

// "NVIDIA H100 80GB HBM3" -> "h100_sxm"; an unknown name becomes a key of its own.
std::string system_key(const std::string& device_name);

}  // namespace moesim
