// Clocks, temperature, throttle reasons and energy, through libnvidia-ml loaded at run time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "calibrate/measure/module_abi.h"

namespace moesim_cuda {

class Nvml {
 public:
  // The GPU on this PCI bus ("0000:1b:00.0"); null where NVML is absent.
  static std::unique_ptr<Nvml> open(const std::string& pci_bus_id);
  ~Nvml();

  moesim_conditions conditions() const;
  // Joules since the driver was loaded; below zero where the GPU does not count them.
  double energy() const;
  std::string driver_version() const;

 private:
  struct Api;
  Nvml(std::unique_ptr<Api> api, void* device);
  std::unique_ptr<Api> api_;
  void* device_;
};

}  // namespace moesim_cuda
