#include "sim/training/pipeline.hpp"

#include <algorithm>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

struct Stage {
  std::size_t warm_up = 0;
  std::size_t forwards = 0;   // begun and ended so far
  std::size_t backwards = 0;  // likewise
  Seconds at{0};
  std::vector<Seconds> forward_end;
  std::vector<Seconds> backward_end;

  [[nodiscard]] bool next_is_forward(std::size_t micro_batches) const {
    if (forwards == micro_batches) return false;
    return forwards < warm_up || forwards - warm_up == backwards;
  }
};

}  // namespace

std::vector<Seconds> run_pipeline(std::span<const std::vector<StagePass>> passes,
                                  std::span<const Seconds> transfer) {
  const std::size_t p = passes.size();
  const std::size_t m = passes.front().size();
  std::vector<Stage> stages(p);
  for (std::size_t s = 0; s < p; ++s) stages[s].warm_up = std::min(p - s - 1, m);
  bool moved = true;
  while (moved) {
    moved = false;
    for (std::size_t s = 0; s < p; ++s) {
      Stage& stage = stages[s];
      while (stage.backwards < m) {
        const bool forward = stage.next_is_forward(m);
        const std::size_t i = forward ? stage.forwards : stage.backwards;
        Seconds ready{0};
        if (forward && s > 0) {
          if (stages[s - 1].forward_end.size() <= i) break;
          ready = stages[s - 1].forward_end[i] + transfer[s - 1];
        } else if (!forward && s + 1 < p) {
          if (stages[s + 1].backward_end.size() <= i) break;
          ready = stages[s + 1].backward_end[i] + transfer[s];
        }
        stage.at = std::max(stage.at, ready) +
                   (forward ? passes[s][i].forward : passes[s][i].backward);
        (forward ? stage.forward_end : stage.backward_end).push_back(stage.at);
        ++(forward ? stage.forwards : stage.backwards);
        moved = true;
      }
    }
  }
  std::vector<Seconds> ends;
  for (const Stage& stage : stages) {
    MOESIM_LAW(stage.backwards == m, "every micro-batch passes every stage forth and back");
    ends.push_back(stage.at);
  }
  return ends;
}

}  // namespace moesim
