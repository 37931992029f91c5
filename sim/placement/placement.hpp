// Which expert is in which slot, and on which GPU each slot is.
#pragma once

#include <span>
#include <vector>

namespace moesim {

// Slots of a layer are numbered GPU by GPU. In the common case every layer has `slots` of them
// and slot s is on GPU s / (slots / gpus); a layer may also have more or fewer than others
// (layer_budget) or use only some of the GPUs (device_groups), hence the explicit offsets.
struct Placement {
  int layers = 0;
  int experts = 0;  // per layer
  int slots = 0;    // of a layer, the mean where layers differ
  int nodes = 1;
  int gpus = 1;
  std::vector<int> physical_to_logical{};  // expert in each slot, layer after layer
  std::vector<int> layer_begin{};          // [layers + 1] first slot of a layer in the above
  std::vector<int> gpu_begin{};  // [layers * (gpus + 1)] first slot of a GPU, within its layer

  // Derived by index(): the slots that hold an expert, ascending.
  std::vector<int> gpu_of_slot{};    // as physical_to_logical
  std::vector<int> replica_begin{};  // [layers * (experts + 1)] into replica_slots of the layer
  std::vector<int> replica_slots{};  // slots within their layer, as physical_to_logical in size

  [[nodiscard]] int layer_slots(int layer) const {
    return layer_begin[at(layer) + 1] - layer_begin[at(layer)];
  }
  [[nodiscard]] int gpus_per_node() const { return gpus / nodes; }
  [[nodiscard]] int node_of(int gpu) const { return gpu / gpus_per_node(); }
  // [layer_slots] expert in each slot.
  [[nodiscard]] std::span<const int> slot_experts(int layer) const {
    return of_layer(physical_to_logical, layer);
  }
  // [layer_slots] GPU of each slot.
  [[nodiscard]] std::span<const int> slot_gpus(int layer) const {
    return of_layer(gpu_of_slot, layer);
  }
  // [gpus + 1] GPU g has the slots [begin[g], begin[g + 1]).
  [[nodiscard]] std::span<const int> gpu_slots(int layer) const {
    return std::span(gpu_begin).subspan(at(layer) * (at(gpus) + 1), at(gpus) + 1);
  }
  // [experts + 1] offsets into replicas_of_layer.
  [[nodiscard]] std::span<const int> replica_offsets(int layer) const {
    return std::span(replica_begin).subspan(at(layer) * (at(experts) + 1), at(experts) + 1);
  }
  // [layer_slots] slots ordered by their expert.
  [[nodiscard]] std::span<const int> replicas_of_layer(int layer) const {
    return of_layer(replica_slots, layer);
  }
  // Slots that hold the expert, ascending.
  [[nodiscard]] std::span<const int> replicas(int layer, int expert) const {
    const auto begin = replica_offsets(layer);
    return replicas_of_layer(layer).subspan(at(begin[at(expert)]),
                                            at(begin[at(expert) + 1] - begin[at(expert)]));
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] std::span<const int> of_layer(const std::vector<int>& all, int layer) const {
    return std::span(all).subspan(at(layer_begin[at(layer)]), at(layer_slots(layer)));
  }
};

// The common case: every GPU has the same slots in every layer. `map` is [layers * slots].
// Law: every expert of every layer is in at least one slot.
Placement uniform_placement(int layers, int experts, int slots, int nodes, int gpus,
                            std::vector<int> map);

// From the slots of each layer: `layer_maps[l]` the experts, `gpu_slot_counts[l]` [gpus] how
// many of them each GPU has.
Placement placement_of_layers(int experts, int nodes, int gpus,
                              const std::vector<std::vector<int>>& layer_maps,
                              const std::vector<std::vector<int>>& gpu_slot_counts);

// Replicas beyond the first on one GPU: weights held twice for nothing.
int same_gpu_duplicates(const Placement& placement);

// Experts that a GPU of `next` must receive because `before` did not have them there.
int migrated_experts(const Placement& before, const Placement& next);

}  // namespace moesim
