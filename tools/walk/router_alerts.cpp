#include "tools/walk/router_alerts.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

// Fewer tokens per expert say little of an expert.
constexpr double kEnoughTokens = 100;

enum class Bad { above, below };

bool crosses(double value, double limit, Bad bad) {
  return bad == Bad::above ? value > limit : value < limit;
}

// The worst layer and window past the limit, and since when it has been.
template <class ValueOf>
void alert_windows(const char* key, double limit, Bad bad, const Result& result,
                   ValueOf value_of, std::vector<std::string>& notes) {
  const LoadWindowResult* first = nullptr;
  const LoadWindowResult* worst = nullptr;
  const auto experts = static_cast<double>(result.experts.size() / result.layers.size());
  for (const LoadWindowResult& w : result.load_windows) {
    if (w.tokens < kEnoughTokens * experts || !crosses(value_of(w), limit, bad)) continue;
    if (first == nullptr) first = &w;
    if (worst == nullptr || crosses(value_of(w), value_of(*worst), bad)) worst = &w;
  }
  if (worst == nullptr) return;
  notes.push_back(fmt::format(
      "alert: {} is {:.3g} in MoE layer {} between {:.0f} and {:.0f} s, {} router.alert.{} = "
      "{:g} (first crossed in layer {} at {:.0f} s)",
      key, value_of(*worst), worst->layer, worst->begin.value, worst->end.value,
      bad == Bad::above ? "above" : "below", key, limit, first->layer, first->begin.value));
}

void alert_run(const char* key, double limit, Bad bad, double value,
               std::vector<std::string>& notes) {
  if (!crosses(value, limit, bad)) return;
  notes.push_back(fmt::format("alert: {} is {:.3g}, {} router.alert.{} = {:g}", key, value,
                              bad == Bad::above ? "above" : "below", key, limit));
}

}  // namespace

void add_router_alerts(const RouterAlertOptions& alert, Result& result) {
  if (result.layers.empty()) return;
  using Window = LoadWindowResult;
  const auto experts = static_cast<double>(result.experts.size() / result.layers.size());
  auto& notes = result.notes;
  alert_windows(
      "hottest_load", alert.hottest_load, Bad::above, result,
      [](const Window& w) { return w.hottest_load; }, notes);
  alert_windows(
      "dead_experts", alert.dead_experts, Bad::above, result,
      [&](const Window& w) { return w.dead_experts / experts; }, notes);
  alert_windows(
      "entropy", alert.entropy, Bad::below, result, [](const Window& w) { return w.entropy; },
      notes);
  const BalanceResult& b = result.balance;
  alert_run("balancedness", alert.balancedness, Bad::below, b.balancedness, notes);
  alert_run("overflow_rate", alert.overflow_rate, Bad::above, b.overflow_rate, notes);
  alert_run("router_mass_lost", alert.router_mass_lost, Bad::above, b.router_mass_lost, notes);
}

}  // namespace moesim
