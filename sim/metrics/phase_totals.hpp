// Where the time of steps goes: seconds by layer and cause, summed over the steps, those with
// prompt tokens and those without apart. The cells add up to the steps' times.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/metrics/cause.hpp"

namespace moesim {

class PhaseTotals {
 public:
  explicit PhaseTotals(int layers);

  // A step in which `so_far` passed before its first layer. One that never ends (its GPU died)
  // leaves nothing behind.
  void begin(const CauseSeconds& so_far);
  // `layer` has ended; what the time grew by since the last call is the layer's.
  void layer(int layer, const CauseSeconds& so_far);
  // The step has ended and took `whole`: what no layer took goes to row `layers()`.
  void end(bool prefill, const CauseSeconds& whole);

  // [layers + 1] of the step that ended last.
  [[nodiscard]] const std::vector<CauseSeconds>& last_rows() const { return pending_; }
  [[nodiscard]] int layers() const { return static_cast<int>(pending_.size()) - 1; }
  [[nodiscard]] std::int64_t steps(bool prefill) const { return kind(prefill).steps; }
  // [layers + 1] sums over the steps.
  [[nodiscard]] const std::vector<CauseSeconds>& rows(bool prefill) const {
    return kind(prefill).rows;
  }

 private:
  struct Kind {
    std::int64_t steps = 0;
    std::vector<CauseSeconds> rows;
  };
  [[nodiscard]] const Kind& kind(bool prefill) const { return kinds_[prefill ? 1 : 0]; }

  std::array<Kind, 2> kinds_;          // decode only, with prompts
  std::vector<CauseSeconds> pending_;  // of the step in hand
  CauseSeconds seen_;
};

}  // namespace moesim
