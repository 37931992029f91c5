#include "tools/fleet/pool.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

// The mean of one figure over the runs.
template <class Figure>
auto mean_of(const std::vector<Result>& runs, Figure figure) {
  auto sum = figure(runs.front());
  for (std::size_t i = 1; i < runs.size(); ++i) sum += figure(runs[i]);
  return sum / static_cast<double>(runs.size());
}

// pooled.PART.FIGURE = mean over the runs of PART.FIGURE.
template <class Part, class... Members>
void mean_into(const std::vector<Result>& runs, Result& pooled, Part Result::*part,
               Members Part::*... members) {
  ((pooled.*part.*members = mean_of(runs, [&](const Result& r) { return r.*part.*members; })),
   ...);
}

}  // namespace

Result pool_results(const std::vector<Result>& runs, const SloOptions& slo) {
  MOESIM_LAW(!runs.empty(), "a pooled result needs at least one run");
  Result pooled = runs.front();
  if (runs.size() == 1) return pooled;
  std::vector<Summary> summaries;
  pooled.steps = 0;
  pooled.partial = false;
  for (const Result& run : runs) {
    summaries.push_back(run.summary);
    pooled.steps += run.steps;
    pooled.partial = pooled.partial || run.partial;
    pooled.memory.kv_peak = std::max(pooled.memory.kv_peak, run.memory.kv_peak);
  }
  pooled.replications = static_cast<int>(runs.size());
  pooled.summary = pool_replications(summaries, slo);
  using U = UtilizationResult;
  mean_into(runs, pooled, &Result::utilization, &U::gpu, &U::expert_compute, &U::links,
            &U::achieved_flops);
  using B = BalanceResult;
  mean_into(runs, pooled, &Result::balance, &B::balancedness, &B::worst_balancedness,
            &B::router_entropy, &B::overflow_rate, &B::dropped_token_rate, &B::dead_experts,
            &B::lower_bound);
  using C = CostResult;
  mean_into(runs, pooled, &Result::cost, &C::gpu_hours, &C::total,
            &C::per_million_output_tokens, &C::per_million_tokens, &C::energy,
            &C::energy_per_token);
  pooled.notes.push_back(
      fmt::format("{} replications, seeds {} to {}: figures are means over them with half "
                  "their 95 % intervals "
                  "(+-), counts are sums; GPUs, links, experts and blame are of seed {}",
                  runs.size(), runs.front().seed, runs.back().seed, runs.front().seed));
  return pooled;
}

}  // namespace moesim
