// EPLB over several windows of past traffic: minimises the sum over windows of the busiest GPU.
// Replicas go, one by one, to the expert whose replica lowers the sum over windows of the
// highest load per replica most; packing puts each replica, heaviest first, where that sum over
// windows grows least. Without windows the load is one window. Plain EPLB is kept where it does
// better.
#include <algorithm>
#include <limits>
#include <numeric>

#include "sim/placement/strategies/strategies.hpp"

namespace moesim::strategies {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

struct Windows {
  std::vector<std::span<const double>> loads;  // [windows][experts]

  [[nodiscard]] double sum(std::size_t expert) const {
    double total = 0;
    for (const auto& w : loads) total += w[expert];
    return total;
  }
};

// Sum over windows of the highest load per replica, with one more replica of `extra`.
double peak_sum(const Windows& windows, const std::vector<int>& counts, std::size_t extra) {
  double total = 0;
  for (const auto& load : windows.loads) {
    double peak = 0;
    for (std::size_t e = 0; e < load.size(); ++e) {
      peak = std::max(peak, load[e] / (counts[e] + (e == extra ? 1 : 0)));
    }
    total += peak;
  }
  return total;
}

// Only an expert that is the peak of some window can lower the sum.
std::vector<int> replica_counts_over(const Windows& windows, int experts, int slots) {
  std::vector<int> counts(z(experts), 1);
  for (int s = experts; s < slots; ++s) {
    std::size_t best = 0;
    double best_sum = std::numeric_limits<double>::infinity();
    for (const auto& load : windows.loads) {
      std::size_t peak = 0;
      for (std::size_t e = 1; e < load.size(); ++e) {
        if (load[e] / counts[e] > load[peak] / counts[peak]) peak = e;
      }
      const double sum = peak_sum(windows, counts, peak);
      if (sum < best_sum) {
        best_sum = sum;
        best = peak;
      }
    }
    ++counts[best];
  }
  return counts;
}

std::vector<int> pack_over(const PlacementProblem& p, const Windows& windows,
                           const std::vector<int>& counts) {
  const std::size_t gpus = z(p.gpus);
  std::vector<int> items;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    items.insert(items.end(), z(counts[e]), static_cast<int>(e));
  }
  std::ranges::stable_sort(items, [&](int a, int b) {
    return windows.sum(z(a)) / counts[z(a)] > windows.sum(z(b)) / counts[z(b)];
  });
  std::vector<std::vector<double>> load(windows.loads.size(), std::vector<double>(gpus, 0.0));
  std::vector<double> peak(windows.loads.size(), 0.0);
  std::vector<double> total(gpus, 0.0);
  std::vector<std::vector<int>> packs(gpus);
  for (const int e : items) {
    std::size_t best = gpus;
    double best_growth = std::numeric_limits<double>::infinity();
    double best_total = 0;
    for (std::size_t g = 0; g < gpus; ++g) {
      if (static_cast<int>(packs[g].size()) >= p.slots_per_gpu()) continue;
      double growth = 0;
      for (std::size_t w = 0; w < load.size(); ++w) {
        const double after =
            (load[w][g] + windows.loads[w][z(e)] / counts[z(e)]) / p.speed(static_cast<int>(g));
        growth += std::max(0.0, after - peak[w]);
      }
      if (growth > best_growth || (growth == best_growth && total[g] >= best_total)) continue;
      best = g;
      best_growth = growth;
      best_total = total[g];
    }
    packs[best].push_back(e);
    for (std::size_t w = 0; w < load.size(); ++w) {
      load[w][best] += windows.loads[w][z(e)] / counts[z(e)];
      peak[w] = std::max(peak[w], load[w][best] / p.speed(static_cast<int>(best)));
      total[best] += windows.loads[w][z(e)] / counts[z(e)];
    }
  }
  std::vector<int> map;
  for (const auto& pack : packs) map.insert(map.end(), pack.begin(), pack.end());
  return map;
}

double objective(const PlacementProblem& p, const Windows& windows,
                 const std::vector<int>& map) {
  std::vector<int> counts(z(p.experts), 0);
  for (const int e : map) ++counts[z(e)];
  double total = 0;
  for (const auto& load : windows.loads) {
    double peak = 0;
    for (int g = 0; g < p.gpus; ++g) {
      double mine = 0;
      for (int s = g * p.slots_per_gpu(); s < (g + 1) * p.slots_per_gpu(); ++s) {
        mine += load[z(map[z(s)])] / counts[z(map[z(s)])];
      }
      peak = std::max(peak, mine / p.speed(g));
    }
    total += peak;
  }
  return total;
}

}  // namespace

Placement eplb_multistep(const PlacementProblem& p, const PlacementOptions& options) {
  const Placement plain = eplb(p, options);
  std::vector<int> map;
  for (int l = 0; l < p.layers; ++l) {
    Windows windows;
    for (int w = 0; w < p.window_count(); ++w) {
      windows.loads.push_back(p.window_weights(w, l));
    }
    if (windows.loads.empty()) windows.loads.push_back(p.layer_weights(l));
    std::vector<int> ours =
        pack_over(p, windows, replica_counts_over(windows, p.experts, p.slots));
    const auto other = plain.slot_experts(l);
    const std::vector<int> theirs(other.begin(), other.end());
    const bool better = objective(p, windows, ours) <= objective(p, windows, theirs);
    const std::vector<int>& chosen = better ? ours : theirs;
    map.insert(map.end(), chosen.begin(), chosen.end());
  }
  return uniform_placement(p.layers, p.experts, p.slots, p.nodes, p.gpus, std::move(map));
}

}  // namespace moesim::strategies
