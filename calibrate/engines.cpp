#include "calibrate/engines.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace moesim {

namespace {

struct Engine {
  std::string_view name;
  Seconds per_step, per_sequence, per_layer, per_prompt_token, per_request;
  double error;  // median TPOT error on the held-out configurations
};

constexpr std::array<Engine, 3> kEngines{{
    {"sglang", Seconds{0.3e-3}, Seconds{5e-6}, Seconds{4e-6}, Seconds{8e-6}, Seconds{0.1}, 0.2},
    {"vllm", Seconds{0.3e-3}, Seconds{10e-6}, Seconds{8e-6}, Seconds{5e-6}, Seconds{0.012},
     0.2},
    {"trtllm", Seconds{0.3e-3}, Seconds{5e-6}, Seconds{4e-6}, Seconds{8e-6}, Seconds{0.1}, 0.2},
}};

}  // namespace

HostOverhead engine_host(const std::string& engine) {
  const auto* const found = std::find_if(kEngines.begin(), kEngines.end(),
                                         [&](const Engine& e) { return e.name == engine; });
  if (found == kEngines.end()) {
    return {Seconds{0.3e-3},
            Seconds{5e-6},
            Seconds{5e-6},
            Seconds{5e-6},
            Seconds{0.05},
            Provenance::assumed,
            0.5};
  }
  return {found->per_step,    found->per_sequence,  found->per_layer, found->per_prompt_token,
          found->per_request, Provenance::imported, found->error};
}

}  // namespace moesim
