// What of a model the router needs to know.
#pragma once

#include <cstddef>

namespace moesim {

// How a group of experts is scored when only the best groups are kept: DeepSeek-V3 adds the
// two best scores (2412.19437, section 2.1.2), DeepSeek-V2 takes the best one (2405.04434).
enum class GroupScore { two_best, best };

struct RouterShape {
  int layers = 1;  // MoE layers only, numbered from 0
  int experts = 1;
  int top_k = 1;
  int expert_groups = 1;  // equal runs of neighbouring experts
  int top_groups = 1;     // groups a token may use
  GroupScore group_score = GroupScore::two_best;

  // The first layers route by a hash of the token id: no taste, no groups, every expert alike
  // (Hash Layers, 2106.04426).
  int hash_layers = 0;

  [[nodiscard]] bool group_limited() const { return top_groups < expert_groups; }
  [[nodiscard]] bool hashed(int layer) const { return layer < hash_layers; }
  [[nodiscard]] std::size_t hashed_cells() const {
    return static_cast<std::size_t>(hash_layers) * static_cast<std::size_t>(experts);
  }
  [[nodiscard]] std::size_t cells() const {
    return static_cast<std::size_t>(layers) * static_cast<std::size_t>(experts);
  }
  friend bool operator==(const RouterShape&, const RouterShape&) = default;
};

// Throws InputError where top_k experts cannot be chosen.
void check_shape(const RouterShape& shape);

}  // namespace moesim
