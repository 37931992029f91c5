// What a placement strategy is given: the load of past traffic, the slots there are, and the
// machine they are on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace moesim {

// The experts that sampled tokens took in one layer: [tokens * top_k]. A view; the owner (a
// router's sample) must outlive it.
struct TokenView {
  std::span<const std::uint16_t> experts;
  int top_k = 0;

  [[nodiscard]] std::size_t tokens() const {
    return top_k > 0 ? experts.size() / static_cast<std::size_t>(top_k) : 0;
  }
  [[nodiscard]] std::span<const std::uint16_t> of(std::size_t token) const {
    const auto k = static_cast<std::size_t>(top_k);
    return experts.subspan(token * k, k);
  }
};

struct PlacementProblem {
  int layers = 0;
  int experts = 0;  // per layer
  int slots = 0;    // per layer, over all GPUs; a multiple of gpus
  int groups = 1;   // expert groups of the router (group-limited routing)
  int nodes = 1;
  int gpus = 1;  // GPUs of the EP group; a multiple of nodes

  std::vector<double> weights{};    // [layers * experts] tokens (or any measure of load)
  std::vector<double> windows{};    // [n * layers * experts] the same by window, oldest first
  std::vector<double> gpu_speed{};  // [gpus] relative; empty: all alike
  std::vector<TokenView>
      samples{};  // [layers] for strategies that look at tokens; may be empty

  std::vector<int> previous{};  // [layers * slots] the placement in force; empty: none
  // At most so many experts may be copied to a GPU that did not hold them, all layers together.
  std::optional<int> migration_budget{};

  [[nodiscard]] int slots_per_gpu() const { return slots / gpus; }
  [[nodiscard]] int gpus_per_node() const { return gpus / nodes; }
  [[nodiscard]] std::span<const double> layer_weights(int layer) const {
    const auto n = static_cast<std::size_t>(experts);
    return std::span(weights).subspan(static_cast<std::size_t>(layer) * n, n);
  }
  [[nodiscard]] int window_count() const;
  [[nodiscard]] std::span<const double> window_weights(int window, int layer) const;
  [[nodiscard]] double speed(int gpu) const {
    return gpu_speed.empty() ? 1.0 : gpu_speed[static_cast<std::size_t>(gpu)];
  }
};

// Throws InputError with every fault found, both numbers in each.
void validate(const PlacementProblem& problem);

}  // namespace moesim
