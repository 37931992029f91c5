// What the routers did: loads by layer, window and tenant, and what should alarm the reader.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/router/load_metrics.hpp"
#include "tools/walk/collect_parts.hpp"
#include "tools/walk/router_alerts.hpp"

namespace moesim {

namespace {

std::size_t hottest(std::span<const double> load) {
  return static_cast<std::size_t>(std::max_element(load.begin(), load.end()) - load.begin());
}

// The windows of all groups together, as wide as the widest.
std::vector<LoadWindow> all_windows(ExpertGroups groups, Seconds& width) {
  for (const MoeStep* moe : groups) width = std::max(width, moe->watch().width());
  std::vector<LoadWindow> sum;
  for (const MoeStep* moe : groups) {
    const auto windows = moe->watch().windows(width);
    sum.resize(std::max(sum.size(), windows.size()));
    for (std::size_t w = 0; w < windows.size(); ++w) sum[w].add(windows[w]);
  }
  return sum;
}

void collect_windows(ExpertGroups groups, Seconds duration, Result& result) {
  Seconds width{0};
  const std::vector<LoadWindow> windows = all_windows(groups, width);
  const auto layers = result.layers.size();
  for (std::size_t w = 0; w < windows.size(); ++w) {
    if (windows[w].steps == 0) continue;
    const std::vector<double> tokens(windows[w].tokens.begin(), windows[w].tokens.end());
    const std::size_t experts = tokens.size() / layers;
    for (std::size_t l = 0; l < layers; ++l) {
      const auto row = std::span(tokens).subspan(l * experts, experts);
      const LoadMetrics m = measure_load(row);
      result.load_windows.push_back(
          {.begin = static_cast<double>(w) * width,
           .end = std::min(duration, static_cast<double>(w + 1) * width),
           .steps = windows[w].steps,
           .layer = static_cast<int>(l),
           .tokens = m.tokens,
           .hottest_load = m.max_over_mean,
           .hottest_expert = static_cast<int>(hottest(row)),
           .cv = m.cv,
           .gini = m.gini,
           .entropy = m.entropy,
           .active_experts = m.active,
           .dead_experts = m.dead,
           .hot_experts = m.hot});
    }
  }
}

// `all` and `part` are loads of the same experts.
double total_variation(std::span<const double> all, std::span<const double> part) {
  double sums[2] = {};
  for (std::size_t e = 0; e < all.size(); ++e) {
    sums[0] += all[e];
    sums[1] += part[e];
  }
  if (sums[0] <= 0 || sums[1] <= 0) return 0;
  double apart = 0;
  for (std::size_t e = 0; e < all.size(); ++e) {
    apart += std::abs(all[e] / sums[0] - part[e] / sums[1]) / 2;
  }
  return apart;
}

// `all` is what the whole mix sent to each (layer, expert).
void collect_tenants(ExpertGroups groups, std::span<const TenantShare> tenants,
                     const std::vector<double>& all, Result& result) {
  const auto layers = result.layers.size();
  const std::size_t experts = all.size() / layers;
  for (const TenantShare& tenant : tenants) {
    std::vector<double> load(all.size());
    for (const MoeStep* moe : groups) {
      const auto more = moe->watch().domain_load(tenant.domain_index);
      for (std::size_t k = 0; k < load.size(); ++k) load[k] += more[k] * tenant.share;
    }
    for (std::size_t l = 0; l < layers; ++l) {
      const auto row = std::span<const double>(load).subspan(l * experts, experts);
      const LoadMetrics m = measure_load(row);
      result.tenant_loads.push_back(
          {.tenant = tenant.tenant,
           .domain = tenant.domain,
           .layer = static_cast<int>(l),
           .tokens = m.tokens,
           .hottest_load = m.max_over_mean,
           .hottest_expert = static_cast<int>(hottest(row)),
           .cv = m.cv,
           .entropy = m.entropy,
           .apart = total_variation(std::span(all).subspan(l * experts, experts), row)});
    }
  }
}

void collect_expert_work(const ModelShape& model, Result& result) {
  for (ExpertResult& expert : result.experts) {
    const double tokens = result.layers[static_cast<std::size_t>(expert.layer)].tokens;
    if (tokens > 0) expert.share = expert.tokens / tokens;
    // Two flops per parameter and token.
    expert.flops = Flops{2 * expert_params(model) * expert.tokens};
  }
}

// [layers] the loss x tokens and the active experts of all steps.
void collect_layer_loads(ExpertGroups groups, const std::vector<double>& all, Result& result) {
  const auto layers = result.layers.size();
  const std::size_t experts = all.size() / layers;
  const double k = groups.front()->router().shape().top_k;
  const double steps = static_cast<double>(std::max<std::int64_t>(1, result.steps));
  const double n = static_cast<double>(layers);
  std::vector<double> loss(layers);
  std::vector<double> active(layers);
  for (const MoeStep* moe : groups) {
    const RouterWatch& watch = moe->watch();
    const auto more = watch.balance_loss();
    for (std::size_t l = 0; l < layers; ++l) {
      loss[l] += more[l];
      active[l] += watch.active()[l];
    }
  }
  BalanceResult& balance = result.balance;
  balance.balance_loss = balance.active_experts = 0;
  for (std::size_t l = 0; l < layers; ++l) {
    LayerResult& layer = result.layers[l];
    const LoadMetrics m = measure_load(std::span(all).subspan(l * experts, experts));
    layer.tokens = m.tokens;
    layer.cv = m.cv;
    layer.gini = m.gini;
    layer.hot_experts = m.hot;
    layer.active_experts = active[l] / steps;
    if (m.tokens > 0) layer.balance_loss = loss[l] * k / m.tokens;
    layer.router_mass_lost = groups.front()->router().displaced()[l];
    balance.balance_loss += layer.balance_loss / n;
    balance.active_experts += layer.active_experts / n / static_cast<double>(experts);
    balance.router_mass_lost += layer.router_mass_lost / n;
  }
}

}  // namespace

void collect_router(const Scenario& scenario, ExpertGroups groups,
                    std::span<const TenantShare> tenants, Seconds duration, Result& result) {
  if (groups.empty()) return;
  std::vector<double> all;
  for (const ExpertResult& expert : result.experts) all.push_back(expert.tokens);
  collect_layer_loads(groups, all, result);
  collect_expert_work(scenario.model, result);
  collect_windows(groups, duration, result);
  collect_tenants(groups, tenants, all, result);
  add_router_alerts(scenario.router.alert, result);
}

}  // namespace moesim
