#include "sim/placement/placement.hpp"

#include <algorithm>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

void index_layer(Placement& p, int layer) {
  const std::size_t first = z(p.layer_begin[z(layer)]);
  const int slots = p.layer_slots(layer);
  const auto begin = p.gpu_slots(layer);
  MOESIM_LAW(begin.front() == 0 && begin.back() == slots, "every slot is on one GPU");
  for (int g = 0; g < p.gpus; ++g) {
    for (int s = begin[z(g)]; s < begin[z(g) + 1]; ++s) p.gpu_of_slot[first + z(s)] = g;
  }
  int* offsets = &p.replica_begin[z(layer) * (z(p.experts) + 1)];
  for (int s = 0; s < slots; ++s) {
    const int e = p.physical_to_logical[first + z(s)];
    MOESIM_LAW(e >= 0 && e < p.experts, "a slot holds an expert of its layer");
    ++offsets[e + 1];
  }
  for (int e = 0; e < p.experts; ++e) {
    MOESIM_LAW(offsets[e + 1] > 0, "every expert is in at least one slot");
    offsets[e + 1] += offsets[e];
  }
  std::vector<int> next(offsets, offsets + p.experts);
  for (int s = 0; s < slots; ++s) {
    const int e = p.physical_to_logical[first + z(s)];
    p.replica_slots[first + z(next[z(e)]++)] = s;
  }
}

void index(Placement& p) {
  p.gpu_of_slot.assign(p.physical_to_logical.size(), 0);
  p.replica_slots.assign(p.physical_to_logical.size(), 0);
  p.replica_begin.assign(z(p.layers) * (z(p.experts) + 1), 0);
  for (int l = 0; l < p.layers; ++l) index_layer(p, l);
}

}  // namespace

Placement uniform_placement(int layers, int experts, int slots, int nodes, int gpus,
                            std::vector<int> map) {
  MOESIM_LAW(map.size() == z(layers) * z(slots), "a placement fills layers x slots");
  MOESIM_LAW(slots % gpus == 0 && gpus % nodes == 0, "slots divide over GPUs, GPUs over nodes");
  Placement p{layers, experts, slots, nodes, gpus, std::move(map), {}, {}, {}, {}, {}};
  for (int l = 0; l <= layers; ++l) p.layer_begin.push_back(l * slots);
  for (int l = 0; l < layers; ++l) {
    for (int g = 0; g <= gpus; ++g) p.gpu_begin.push_back(g * (slots / gpus));
  }
  index(p);
  return p;
}

Placement placement_of_layers(int experts, int nodes, int gpus,
                              const std::vector<std::vector<int>>& layer_maps,
                              const std::vector<std::vector<int>>& gpu_slot_counts) {
  MOESIM_LAW(layer_maps.size() == gpu_slot_counts.size(), "every layer has slots on GPUs");
  Placement p;
  p.layers = static_cast<int>(layer_maps.size());
  p.experts = experts;
  p.nodes = nodes;
  p.gpus = gpus;
  p.layer_begin.push_back(0);
  for (std::size_t l = 0; l < layer_maps.size(); ++l) {
    const auto& map = layer_maps[l];
    p.physical_to_logical.insert(p.physical_to_logical.end(), map.begin(), map.end());
    p.layer_begin.push_back(static_cast<int>(p.physical_to_logical.size()));
    MOESIM_LAW(gpu_slot_counts[l].size() == z(gpus), "every GPU has a number of slots");
    int begin = 0;
    p.gpu_begin.push_back(0);
    for (const int count : gpu_slot_counts[l]) p.gpu_begin.push_back(begin += count);
  }
  p.slots = p.layers > 0 ? p.layer_begin.back() / p.layers : 0;
  index(p);
  return p;
}

int same_gpu_duplicates(const Placement& p) {
  int duplicates = 0;
  for (int l = 0; l < p.layers; ++l) {
    const auto gpu = p.slot_gpus(l);
    for (int e = 0; e < p.experts; ++e) {
      const auto slots = p.replicas(l, e);  // ascending, so by GPU
      for (std::size_t i = 1; i < slots.size(); ++i) {
        duplicates += gpu[z(slots[i])] == gpu[z(slots[i - 1])];
      }
    }
  }
  return duplicates;
}

int migrated_experts(const Placement& before, const Placement& next) {
  MOESIM_LAW(before.layers == next.layers && before.gpus == next.gpus &&
                 before.experts == next.experts,
             "placements to compare are of one model on one machine");
  int moved = 0;
  std::vector<int> held(z(next.experts));
  for (int l = 0; l < next.layers; ++l) {
    for (int g = 0; g < next.gpus; ++g) {
      const auto old_begin = before.gpu_slots(l);
      const auto new_begin = next.gpu_slots(l);
      std::ranges::fill(held, 0);
      for (int s = old_begin[z(g)]; s < old_begin[z(g) + 1]; ++s) {
        held[z(before.slot_experts(l)[z(s)])] = 1;
      }
      for (int s = new_begin[z(g)]; s < new_begin[z(g) + 1]; ++s) {
        int& known = held[z(next.slot_experts(l)[z(s)])];
        moved += known == 0;
        known = 1;
      }
    }
  }
  return moved;
}

}  // namespace moesim
