#include "calibrate/measure/plan.hpp"

#include <algorithm>

#include "sim/base/rng.hpp"

namespace moesim {
namespace {

constexpr Seconds kMostPerJob{3}, kMostPerDemonstration{0.5};

template <class T>
void shuffle(std::vector<T>& list, std::size_t first, std::size_t last, Stream& stream) {
  for (std::size_t i = last; i > first + 1; --i) {
    std::swap(list[i - 1], list[first + stream.below(i - first)]);
  }
}

// Random within a tier, tiers in order.
void order_by_importance(std::vector<Job>& jobs, Stream& stream) {
  shuffle(jobs, 0, jobs.size(), stream);
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const Job& a, const Job& b) { return a.tier < b.tier; });
}

}  // namespace

std::string_view to_text(Purpose purpose) {
  constexpr std::string_view names[] = {"fit", "holdout", "step", "model", "energy"};
  return names[static_cast<int>(purpose)];
}

Seconds estimate_job(const Job& job, const DeviceFacts& facts) {
  if (job.purpose == Purpose::energy) return Seconds{2.7};
  // Allocation, heuristics, capture; the same on every shape.
  constexpr Seconds setup{0.015};
  // 30 samples of at least .5 ms (calibrate/cuda/replay.h), a third as much for warming up.
  constexpr double repeats = 40;
  constexpr Seconds shortest{5e-4};
  // Real kernels reach about half of what clocks and widths promise.
  const Seconds memory = bytes_of(job.op) / facts.memory_bandwidth;
  const Seconds compute = flops_of(job.op) / facts.flops;
  return setup + repeats * std::max(shortest, 2 * std::max(memory, compute));
}

Plan make_plan(const DeviceFacts& facts, const PlanOptions& options) {
  Plan plan{all_jobs(facts, options), 0};
  for (Job& job : plan.jobs) job.estimate = estimate_job(job, facts);
  // One operation is never worth more than a few others: large ones suit large devices only.
  const Seconds most = facts.demonstration ? kMostPerDemonstration : kMostPerJob;
  std::erase_if(plan.jobs, [most](const Job& job) { return job.estimate > most; });
  Stream stream(options.seed, "measurement order");
  order_by_importance(plan.jobs, stream);
  Seconds spent{0};
  while (plan.expected < plan.jobs.size()) {
    spent += plan.jobs[plan.expected].estimate;
    if (spent > options.budget) break;
    ++plan.expected;
  }
  shuffle(plan.jobs, 0, plan.expected, stream);
  return plan;
}

}  // namespace moesim
