#include "calibrate/devices.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace moesim {

namespace {

using namespace literals;

// NVIDIA datasheets: A100 (2021), H100 (2023), H200 (2024), H20 and H800 (vendors' sheets),
// HGX B200 / GB200 / B300 (2024-2025), L40S (2023). L2 sizes: architecture white papers.
constexpr std::array<Device, 13> kDevices{{
    {"a100-sxm", "ampere", 2.039_TBps, 40_MiB, 312_TFLOPS, {}, {}, 624_TFLOPS},
    {"a800-sxm", "ampere", 2.039_TBps, 40_MiB, 312_TFLOPS, {}, {}, 624_TFLOPS},
    {"l40s", "ada", 0.864_TBps, 96_MiB, 362_TFLOPS, 733_TFLOPS, {}, 733_TFLOPS},
    {"h100-sxm", "hopper", 3.35_TBps, 50_MiB, 989_TFLOPS, 1979_TFLOPS, {}, 1979_TFLOPS},
    {"h800-sxm", "hopper", 3.35_TBps, 50_MiB, 989_TFLOPS, 1979_TFLOPS, {}, 1979_TFLOPS},
    {"h20-sxm", "hopper", 4.0_TBps, 60_MiB, 148_TFLOPS, 296_TFLOPS, {}, 296_TFLOPS},
    {"h200-sxm", "hopper", 4.8_TBps, 50_MiB, 989_TFLOPS, 1979_TFLOPS, {}, 1979_TFLOPS},
    {"gh200", "hopper", 4.9_TBps, 50_MiB, 989_TFLOPS, 1979_TFLOPS, {}, 1979_TFLOPS},
    {"b200-sxm", "blackwell", 8_TBps, 126_MiB, 2250_TFLOPS, 4500_TFLOPS, 9000_TFLOPS,
     4500_TFLOPS},
    {"gb200", "blackwell", 8_TBps, 126_MiB, 2500_TFLOPS, 5000_TFLOPS, 10000_TFLOPS,
     5000_TFLOPS},
    {"b300-sxm", "blackwell", 8_TBps, 126_MiB, 2250_TFLOPS, 4500_TFLOPS, 13500_TFLOPS,
     140_TFLOPS},
    {"gb300", "blackwell", 8_TBps, 126_MiB, 2500_TFLOPS, 5000_TFLOPS, 15000_TFLOPS, 165_TFLOPS},
    // Any processor, for `calibrate --backend cpu`: peaks that none exceeds. An architecture of
    // its own, so that a demonstration is never taken for a GPU.
    {"cpu", "cpu", 1_TBps, 512_MiB, 64_TFLOPS, {}, {}, {}},
}};

}  // namespace

std::span<const Device> devices() { return kDevices; }

std::optional<Device> find_device(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '_', '-');
  for (const Device& device : kDevices) {
    if (device.name == key) return device;
  }
  return std::nullopt;
}

FlopsPerSecond peak_flops(const Device& device, Dtype dtype) {
  const auto or_bf16 = [&](FlopsPerSecond rate) {
    return rate.value > 0 ? rate : device.bf16_flops;
  };
  switch (dtype) {
    case Dtype::fp8:
    case Dtype::fp8_block:
    case Dtype::w4a8:
      return or_bf16(device.fp8_flops);
    case Dtype::fp4:
      return or_bf16(device.fp4_flops);
    case Dtype::int8:
      return or_bf16(device.int8_flops);
    case Dtype::fp32:
      return device.bf16_flops / 2;  // tf32
    case Dtype::bf16:
    case Dtype::int4:
    case Dtype::mxfp4:
      return device.bf16_flops;
  }
  return device.bf16_flops;
}

}  // namespace moesim
