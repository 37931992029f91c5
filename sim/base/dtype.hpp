// Number formats of weights, activations and KV caches.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace moesim {

enum class Dtype { fp32, bf16, fp8, fp8_block, int8, int4, fp4, mxfp4, w4a8 };

struct DtypeInfo {
  Dtype dtype;
  std::string_view name;
  double weight_bytes;      // per weight, its share of the scales included
  double activation_bytes;  // per activation fed to the GEMM
  double scale_block;       // weights per scale; 0 = per tensor
};

// Scales: fp8_block 128x128 fp32 (DeepSeek-V3 report, 2412.19437 section 3.3); nvfp4 one fp8
// per 16 weights; mxfp4 one 8-bit exponent per 32 (OCP Microscaling formats 1.0).
inline constexpr std::array<DtypeInfo, 9> kDtypes{{
    {Dtype::fp32, "fp32", 4, 4, 0},
    {Dtype::bf16, "bf16", 2, 2, 0},
    {Dtype::fp8, "fp8", 1, 1, 0},
    {Dtype::fp8_block, "fp8_block", 1 + 4.0 / (128 * 128), 1 + 4.0 / 128, 128 * 128},
    {Dtype::int8, "int8", 1, 1, 0},
    {Dtype::int4, "int4", 0.5 + 2.0 / 128, 2, 128},
    {Dtype::fp4, "fp4", 0.5 + 1.0 / 16, 0.5 + 1.0 / 16, 16},
    {Dtype::mxfp4, "mxfp4", 0.5 + 1.0 / 32, 2, 32},
    {Dtype::w4a8, "w4a8", 0.5 + 2.0 / 128, 1, 128},
}};

constexpr const DtypeInfo& info(Dtype dtype) {
  return kDtypes[static_cast<std::size_t>(dtype)];
}

constexpr std::string_view to_text(Dtype dtype) { return info(dtype).name; }

constexpr std::optional<Dtype> parse_dtype(std::string_view name) {
  for (const DtypeInfo& i : kDtypes) {
    if (i.name == name) return i.dtype;
  }
  return std::nullopt;
}

}  // namespace moesim
