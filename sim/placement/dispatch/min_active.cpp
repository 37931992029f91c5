// Every expert with tokens runs on exactly one of its replicas, so that the largest number of
// active experts on a GPU is as small as the placement allows: in decode an expert's time is
// that of reading its weights once, whatever its tokens. A semi-matching (Harvey et al.,
// "Semi-matchings for bipartite graphs and load balancing", 2003): greedy, then cost-reducing
// paths. Ties go to the GPU with fewer tokens.
#include <algorithm>
#include <numeric>

#include "sim/placement/dispatch/per_step.hpp"
#include "sim/placement/dispatch/policies.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

class MinActive final : public PerStep {
 public:
  using PerStep::PerStep;

 protected:
  void assign(int layer, std::span<const double> counts,
              std::vector<double>& slot_tokens) override;

 private:
  void choose_greedily(int layer, std::span<const double> counts);
  bool shorten(int layer, int from);

  std::vector<int> chosen_;     // [experts] slot, -1: no tokens
  std::vector<int> active_;     // [gpus]
  std::vector<double> tokens_;  // [gpus]
  std::vector<int> came_from_;  // [gpus] slot of an expert that could leave, -1: not reached
  std::vector<int> queue_;      // GPUs
};

void MinActive::choose_greedily(int layer, std::span<const double> counts) {
  const Placement& p = placement();
  const auto gpus = p.slot_gpus(layer);
  chosen_.assign(counts.size(), -1);
  active_.assign(z(p.gpus), 0);
  tokens_.assign(z(p.gpus), 0.0);
  const auto take = [&](int e, int slot) {
    chosen_[z(e)] = slot;
    ++active_[z(gpus[z(slot)])];
    tokens_[z(gpus[z(slot)])] += counts[z(e)];
  };
  for (int e = 0; e < p.experts; ++e) {  // those without a choice first
    const auto slots = p.replicas(layer, e);
    if (counts[z(e)] > 0 && slots.size() == 1) take(e, slots[0]);
  }
  for (int e = 0; e < p.experts; ++e) {
    const auto slots = p.replicas(layer, e);
    if (counts[z(e)] <= 0 || slots.size() == 1) continue;
    take(e, *std::ranges::min_element(slots, [&](int a, int b) {
           const std::size_t ga = z(gpus[z(a)]);
           const std::size_t gb = z(gpus[z(b)]);
           return active_[ga] != active_[gb] ? active_[ga] < active_[gb]
                                             : tokens_[ga] < tokens_[gb];
         }));
  }
}

// Moves one expert off GPU `from` along a path to a GPU with at least two fewer; false if none.
bool MinActive::shorten(int layer, int from) {
  const Placement& p = placement();
  const auto gpus = p.slot_gpus(layer);
  const auto experts = p.slot_experts(layer);
  const auto begin = p.gpu_slots(layer);
  came_from_.assign(z(p.gpus), -1);
  queue_.assign(1, from);
  came_from_[z(from)] = begin[z(from)];
  for (std::size_t head = 0; head < queue_.size(); ++head) {
    const int g = queue_[head];
    for (int s = begin[z(g)]; s < begin[z(g) + 1]; ++s) {
      if (chosen_[z(experts[z(s)])] != s) continue;
      for (const int t : p.replicas(layer, experts[z(s)])) {
        int to = gpus[z(t)];
        if (came_from_[z(to)] >= 0) continue;
        came_from_[z(to)] = s;
        queue_.push_back(to);
        if (active_[z(to)] + 2 > active_[z(from)]) continue;
        ++active_[z(to)];
        --active_[z(from)];
        while (to != from) {  // back along the path: each expert moves one GPU on
          const int old_slot = came_from_[z(to)];
          const int e = experts[z(old_slot)];
          for (const int r : p.replicas(layer, e)) {
            if (gpus[z(r)] == to) chosen_[z(e)] = r;
          }
          to = gpus[z(old_slot)];
        }
        return true;
      }
    }
  }
  return false;
}

void MinActive::assign(int layer, std::span<const double> counts, std::vector<double>& x) {
  choose_greedily(layer, counts);
  for (int g = 0; g < placement().gpus; ++g) {
    while (shorten(layer, g)) {
    }
  }
  x.assign(z(placement().layer_slots(layer)), 0.0);
  for (std::size_t e = 0; e < counts.size(); ++e) {
    if (chosen_[e] >= 0) x[z(chosen_[e])] = counts[e];
  }
}

}  // namespace

std::unique_ptr<DispatchPolicy> min_active(const Placement& p,
                                           const DispatchSettings& settings) {
  return std::make_unique<MinActive>(p, settings);
}

}  // namespace moesim::dispatch
