// The two greedy steps most strategies are built from: how many replicas each expert gets, and
// which slot goes to which GPU.
#pragma once

#include <span>
#include <vector>

namespace moesim {

// Replica counts [experts] that use `slots` slots: each redundant one goes to the expert with
// the highest load per replica, the first on ties (EPLB, github.com/deepseek-ai/EPLB).
// `order`, if given, receives the expert of each redundant slot in turn.
std::vector<int> replica_counts(std::span<const double> weights, int slots,
                                std::vector<int>* order = nullptr);

enum class Duplicates { allowed, avoided };

// Packs items into packs of equal size (items / packs each): heaviest first, always into the
// lightest pack with room, the first on ties. Returns the items pack by pack, in the order
// they came in. One item per pack: the identity, as published.
std::vector<int> balanced_packing(std::span<const double> weights, int packs);

// The same with pack capacities and speeds (the lightest is that with the least load / speed
// after taking the item), and no two items of one `label` in a pack where that can be helped.
std::vector<std::vector<int>> pack_apart(std::span<const double> weights,
                                         std::span<const int> labels,
                                         std::span<const int> capacity,
                                         std::span<const double> speed, Duplicates duplicates);

}  // namespace moesim
