#include "calibrate/section_choice.hpp"

#include <fmt/format.h>

namespace moesim {

std::vector<Dtype> stand_ins(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp32:
      return {Dtype::fp32, Dtype::bf16};
    case Dtype::bf16:
      return {Dtype::bf16};
    case Dtype::fp8:
      return {Dtype::fp8, Dtype::fp8_block, Dtype::int8, Dtype::bf16};
    case Dtype::fp8_block:
      return {Dtype::fp8_block, Dtype::fp8, Dtype::int8, Dtype::bf16};
    case Dtype::int8:
      return {Dtype::int8, Dtype::fp8, Dtype::fp8_block, Dtype::bf16};
    case Dtype::fp4:
      return {Dtype::fp4, Dtype::mxfp4, Dtype::fp8, Dtype::fp8_block, Dtype::bf16};
    case Dtype::int4:
      return {Dtype::int4, Dtype::mxfp4, Dtype::bf16};
    case Dtype::mxfp4:
      return {Dtype::mxfp4, Dtype::int4, Dtype::fp4, Dtype::bf16};
    case Dtype::w4a8:
      return {Dtype::w4a8,      Dtype::fp4, Dtype::mxfp4, Dtype::int4,
              Dtype::fp8_block, Dtype::fp8, Dtype::bf16};
  }
  return {dtype};
}

std::string describe(const KernelKey& key, Dtype asked) {
  std::string text = fmt::format("{} {} {}", key.engine, key.version, key.kernel);
  if (key.dtype != asked) {
    text += fmt::format(", {} in place of {}", to_text(key.dtype), to_text(asked));
  }
  return text;
}

}  // namespace moesim
