// A kernel profile: what is known of the kernel times of one GPU type under one engine.
#pragma once

#include <string>
#include <vector>

#include "sim/base/dtype.hpp"
#include "sim/base/provenance.hpp"
#include "sim/base/units.hpp"

namespace moesim {

struct Profile {
  std::string gpu;     // key of devices.hpp
  std::string engine;  // "sglang", "vllm", "trtllm"
};

}  // namespace moesim
