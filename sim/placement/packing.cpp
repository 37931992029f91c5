#include "sim/placement/packing.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

std::vector<int> heaviest_first(std::span<const double> weights) {
  std::vector<int> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int a, int b) { return weights[z(a)] > weights[z(b)]; });
  return order;
}

}  // namespace

std::vector<int> replica_counts(std::span<const double> weights, int slots,
                                std::vector<int>* order) {
  std::vector<int> counts(weights.size(), 1);
  std::vector<double> per_replica(weights.begin(), weights.end());
  for (int s = static_cast<int>(weights.size()); s < slots; ++s) {
    const auto hottest =
        static_cast<std::size_t>(std::ranges::max_element(per_replica) - per_replica.begin());
    per_replica[hottest] = weights[hottest] / ++counts[hottest];
    if (order) order->push_back(static_cast<int>(hottest));
  }
  return counts;
}

std::vector<int> balanced_packing(std::span<const double> weights, int packs) {
  const int items = static_cast<int>(weights.size());
  MOESIM_LAW(packs > 0 && items % packs == 0, "packs are of equal size");
  const int size = items / packs;
  std::vector<int> packed(weights.size());
  if (size == 1) {
    std::iota(packed.begin(), packed.end(), 0);
    return packed;
  }
  std::vector<double> load(z(packs), 0.0);
  std::vector<int> count(z(packs), 0);
  for (const int item : heaviest_first(weights)) {
    int best = -1;
    for (int p = 0; p < packs; ++p) {
      if (count[z(p)] < size && (best < 0 || load[z(p)] < load[z(best)])) best = p;
    }
    packed[z(best * size + count[z(best)]++)] = item;
    load[z(best)] += weights[z(item)];
  }
  return packed;
}

std::vector<std::vector<int>> pack_apart(std::span<const double> weights,
                                         std::span<const int> labels,
                                         std::span<const int> capacity,
                                         std::span<const double> speed, Duplicates duplicates) {
  std::vector<std::vector<int>> packs(capacity.size());
  std::vector<double> load(capacity.size(), 0.0);
  for (const int item : heaviest_first(weights)) {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    std::size_t best = capacity.size();
    bool best_repeats = true;
    double best_time = kNever;
    for (std::size_t p = 0; p < capacity.size(); ++p) {
      if (static_cast<int>(packs[p].size()) >= capacity[p]) continue;
      const bool repeats =
          duplicates == Duplicates::avoided &&
          std::ranges::any_of(packs[p], [&](int i) { return labels[z(i)] == labels[z(item)]; });
      const double time = (load[p] + weights[z(item)]) / (speed.empty() ? 1.0 : speed[p]);
      if (repeats > best_repeats || (repeats == best_repeats && !(time < best_time))) continue;
      best = p;
      best_repeats = repeats;
      best_time = time;
    }
    MOESIM_LAW(best < capacity.size(), "items fit into the packs");
    packs[best].push_back(item);
    load[best] += weights[z(item)];
  }
  return packs;
}

}  // namespace moesim
