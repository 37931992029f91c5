#include "tools/report/training_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/units_text.hpp"
#include "tools/report/table.hpp"

namespace moesim {

namespace {

std::string line(std::string_view name, const std::string& text) {
  return fmt::format("{:<12} {}\n", name, text);
}

// "attention 12.3 ms (31.0 %), ..."; those that take no time are left out.
std::string shares(const std::vector<NamedSeconds>& parts, Seconds whole) {
  std::string text;
  for (const NamedSeconds& part : parts) {
    if (part.seconds.value <= 0) continue;
    std::string name = part.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    text += fmt::format("{}{} {} ({:.1f} %)", text.empty() ? "" : ", ", name,
                        to_display(part.seconds), 100 * part.seconds.value / whole.value);
  }
  return text;
}

}  // namespace

std::string training_lines(const TrainingResult& t) {
  const auto whole = [](double value) { return grouped(std::llround(value)); };
  std::string text;
  text += line("Step",
               fmt::format("{} for {} tokens: {} tok/s, {} tok/s per GPU, MFU {:.1f} %",
                           to_display(t.step_time), whole(t.tokens_per_step),
                           whole(t.tokens.value), whole(t.tokens_per_gpu.value), 100 * t.mfu));
  text += line("Phases", shares(t.phases, t.step_time));
  text += line("Passes", shares(t.passes, t.step_time));
  text += line("Layout", fmt::format("PP {} x DP {} x TP {}, {} replicas of EP {}, {} "
                                     "micro-batches, bubble {:.1f} % (even stages: {:.1f} %)",
                                     t.stages, t.dp, t.tp, t.replicas, t.ep, t.micro_batches,
                                     100 * t.bubble_share, 100 * t.bubble_ideal));
  if (t.dropped_share > 0) {
    text += line("Dropped",
                 fmt::format("{:.2f} % of the assignments to experts", 100 * t.dropped_share));
  }
  text += line("Memory",
               fmt::format("stage {}: {} weights, {} gradients, {} optimizer, {} "
                           "activations per GPU",
                           t.fullest_stage, to_display(t.weights), to_display(t.gradients),
                           to_display(t.optimizer), to_display(t.activations)));
  return text;
}

}  // namespace moesim
