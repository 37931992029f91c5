// What the datasheets say of each GPU that a kernel profile can be about: the peaks that no
// measured row may exceed, and the ratios by which a profile is moved to a sister GPU.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/base/dtype.hpp"
#include "sim/base/units.hpp"

namespace moesim {

// Rates are dense, without sparsity; zero where the GPU lacks the format.
struct Device {
  std::string_view name;          // key of profiles: "h200-sxm"
  std::string_view architecture;  // "ampere", "ada", "hopper", "blackwell"
  BytesPerSecond memory_bandwidth{0};
  Bytes l2_cache{0};
  FlopsPerSecond bf16_flops{0};
  FlopsPerSecond fp8_flops{0};
  FlopsPerSecond fp4_flops{0};
  FlopsPerSecond int8_flops{0};
};

std::span<const Device> devices();

// By key; "h200_sxm" and "h200-sxm" are the same. Empty where unknown.
std::optional<Device> find_device(std::string_view name);

// The tensor-core peak that a GEMM with weights of this format can reach. Weight-only formats
// (int4, mxfp4 on Hopper) multiply in bf16; fp8 on a GPU without it multiplies in bf16 too.
FlopsPerSecond peak_flops(const Device& device, Dtype dtype);

}  // namespace moesim
