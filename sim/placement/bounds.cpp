#include "sim/placement/bounds.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/base/errors.hpp"
#include "sim/placement/migration.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

double sum(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double mean_speed(std::span<const double> speed) {
  return speed.empty() ? 1.0 : sum(speed) / static_cast<double>(speed.size());
}

// Slots that loads need if no GPU may hold more than `most`.
double slots_needed(std::span<const double> weights, double most) {
  double slots = 0;
  // The relative hair keeps w = n * most from counting n + 1 through rounding.
  for (const double w : weights) slots += std::max(1.0, std::ceil(w / most * (1 - 1e-12)));
  return slots;
}

}  // namespace

std::vector<double> fair_gpu_loads(const Placement& p, int layer,
                                   std::span<const double> weights) {
  std::vector<double> loads(z(p.gpus), 0.0);
  const auto experts = p.slot_experts(layer);
  const auto gpus = p.slot_gpus(layer);
  for (std::size_t s = 0; s < experts.size(); ++s) {
    const auto copies = static_cast<double>(p.replicas(layer, experts[s]).size());
    loads[z(gpus[s])] += weights[z(experts[s])] / copies;
  }
  return loads;
}

double busiest_gpu(const Placement& p, int layer, std::span<const double> weights,
                   std::span<const double> speed) {
  const auto loads = fair_gpu_loads(p, layer, weights);
  double most = 0;
  for (std::size_t g = 0; g < loads.size(); ++g) {
    most = std::max(most, loads[g] * mean_speed(speed) / (speed.empty() ? 1.0 : speed[g]));
  }
  return most;
}

double balancedness(std::span<const double> gpu_loads, std::span<const double> speed) {
  double most = 0;
  for (std::size_t g = 0; g < gpu_loads.size(); ++g) {
    most = std::max(most, gpu_loads[g] * mean_speed(speed) / (speed.empty() ? 1.0 : speed[g]));
  }
  return most > 0 ? std::min(1.0, sum(gpu_loads) / static_cast<double>(gpu_loads.size()) / most)
                  : 1.0;
}

double mean_balancedness(const Placement& p, std::span<const double> weights,
                         std::span<const double> speed) {
  double total = 0;
  const std::size_t n = z(p.experts);
  for (int l = 0; l < p.layers; ++l) {
    total += balancedness(fair_gpu_loads(p, l, weights.subspan(z(l) * n, n)), speed);
  }
  return p.layers > 0 ? total / p.layers : 1.0;
}

double load_bound(std::span<const double> weights, int slots, int gpus,
                  std::span<const double> speed) {
  const double mean = sum(weights) / gpus;
  if (mean <= 0) return 0;
  const double fastest =
      speed.empty() ? 1.0 : *std::ranges::max_element(speed) / mean_speed(speed);
  // The need only changes where M is some w_e / n: try the smallest such M that suffices.
  if (slots_needed(weights, mean * fastest) <= slots) return mean;
  double low = mean;  // does not suffice
  double high = std::max(mean, *std::ranges::max_element(weights) / fastest);
  while (high - low > 1e-13 * high) {
    const double middle = (low + high) / 2;
    (slots_needed(weights, middle * fastest) <= slots ? high : low) = middle;
    if (middle == low && middle == high) break;
  }
  return low;
}

double balancedness_bound(std::span<const double> weights, int slots, int gpus,
                          std::span<const double> speed) {
  const double bound = load_bound(weights, slots, gpus, speed);
  return bound > 0 ? sum(weights) / gpus / bound : 1.0;
}

PlacementVerdict judge(const PlacementProblem& problem, const Placement& p) {
  PlacementVerdict verdict;
  const auto mean = [&](const std::vector<double>& values) {
    return values.empty() ? 0.0 : sum(values) / static_cast<double>(values.size());
  };
  for (int l = 0; l < p.layers; ++l) {
    const auto weights = problem.layer_weights(l);
    const double busiest = busiest_gpu(p, l, weights, problem.gpu_speed);
    const double bound = load_bound(weights, p.layer_slots(l), p.gpus, problem.gpu_speed);
    MOESIM_LAW(bound <= busiest * (1 + 1e-9), "no placement beats the load bound");
    verdict.layer_busiest_gpu.push_back(busiest);
    verdict.layer_lower_bound.push_back(bound);
    verdict.layer_balancedness.push_back(
        balancedness(fair_gpu_loads(p, l, weights), problem.gpu_speed));
  }
  verdict.balancedness = mean(verdict.layer_balancedness);
  verdict.busiest_gpu = mean(verdict.layer_busiest_gpu);
  verdict.lower_bound = mean(verdict.layer_lower_bound);
  if (verdict.lower_bound > 0) verdict.gap = verdict.busiest_gpu / verdict.lower_bound - 1;
  verdict.same_gpu_duplicates = same_gpu_duplicates(p);
  if (!problem.previous.empty()) {
    verdict.migrated_experts = migrated_experts(previous_placement(problem), p);
  }
  return verdict;
}

}  // namespace moesim
