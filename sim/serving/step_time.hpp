// What a step's time is made of, along its critical path.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "sim/base/units.hpp"

namespace moesim {

// In the order in which a layer runs. `experts` is the mean over the GPUs, `straggler` what the
// slowest one adds: the part that skew costs. Communication counts as far as compute does not
// hide it.
enum class StepPhase {
  attention,   // norms, projections, scores and values, of the slowest attention rank
  collective,  // all-reduces between the GPUs of a rank
  dense,       // dense and shared FFN
  router,      // gate and top-k
  dispatch,
  experts,
  straggler,
  combine,
  ends,  // embedding, LM head, sampling
  host,  // what the engine's host side adds
};
inline constexpr std::size_t kStepPhases = 10;

inline constexpr std::array<std::string_view, kStepPhases> kStepPhaseNames{
    "attention", "collective", "dense",   "router", "dispatch",
    "experts",   "straggler",  "combine", "ends",   "host"};

struct StepTime {
  std::array<Seconds, kStepPhases> phase{};

  Seconds& operator[](StepPhase p) { return phase[static_cast<std::size_t>(p)]; }
  Seconds operator[](StepPhase p) const { return phase[static_cast<std::size_t>(p)]; }
  [[nodiscard]] Seconds total() const {
    Seconds sum{0};
    for (const Seconds s : phase) sum += s;
    return sum;
  }
};

}  // namespace moesim
