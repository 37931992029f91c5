// What a training step spends its time on.
#pragma once

#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>

#include "sim/base/units.hpp"

namespace moesim {

enum class TrainingPhase {
  attention,
  dense,             // dense FFN, shared experts, router, embedding, head and loss
  collective,        // between the GPUs of an attention rank
  dispatch,          // as far as nothing hides it
  expert,            // mean over the ranks
  expert_straggler,  // and what the slowest takes longer
  combine,
  bubble,     // waiting for other stages, their activations, and other replicas
  gradients,  // reduced after the last backward pass has ended
  optimizer,  // the update, and gathering the new weights
};
inline constexpr std::size_t kTrainingPhases = 10;

constexpr std::string_view to_text(TrainingPhase phase) {
  constexpr std::array<std::string_view, kTrainingPhases> names{
      "attention",        "dense",   "collective", "dispatch",  "expert",
      "expert_straggler", "combine", "bubble",     "gradients", "optimizer"};
  return names[static_cast<std::size_t>(phase)];
}

struct PhaseSeconds {
  std::array<double, kTrainingPhases> of{};

  double& operator[](TrainingPhase phase) { return of[static_cast<std::size_t>(phase)]; }
  double operator[](TrainingPhase phase) const { return of[static_cast<std::size_t>(phase)]; }
  [[nodiscard]] double sum() const { return std::accumulate(of.begin(), of.end(), 0.0); }
  void add(const PhaseSeconds& other, double times = 1) {
    for (std::size_t p = 0; p < of.size(); ++p) of[p] += times * other.of[p];
  }
};

}  // namespace moesim
