#include "sim/router/capacity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/spelling.hpp"

namespace moesim {

namespace {

// Gives `wanting` assignments to experts below capacity in proportion to `next_best`; what a
// full expert cannot take goes round again. Returns how many found a place.
int reroute(int wanting, std::span<const float> next_best, int capacity,
            std::vector<int>& kept) {
  int placed = 0;
  while (placed < wanting) {
    double open = 0;
    for (std::size_t e = 0; e < kept.size(); ++e) {
      if (kept[e] < capacity) open += static_cast<double>(next_best[e]) + 1e-12;
    }
    if (open <= 0) break;
    const double per_weight = (wanting - placed) / open;
    double running = 0.5;
    int given = 0;
    int moved = 0;
    for (std::size_t e = 0; e < kept.size(); ++e) {
      if (kept[e] >= capacity) continue;
      running += (static_cast<double>(next_best[e]) + 1e-12) * per_weight;
      const int share = static_cast<int>(running) - given;
      given += share;
      const int taken = std::min({share, capacity - kept[e], wanting - placed - moved});
      kept[e] += taken;
      moved += taken;
    }
    if (moved == 0) break;
    placed += moved;
  }
  return placed;
}

}  // namespace

Overflow parse_overflow(std::string_view name) {
  constexpr std::array<std::string_view, 4> names{"none", "drop", "reroute", "pad"};
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Overflow>(found - names.begin());
  throw InputError(fmt::format("unknown overflow '{}'", name), "none, drop, reroute or pad",
                   did_you_mean(name, std::vector<std::string>(names.begin(), names.end())));
}

int expert_capacity(double factor, int tokens, int top_k, int experts) {
  const double even = static_cast<double>(tokens) * top_k / experts;
  return static_cast<int>(std::ceil(factor * even - 1e-9));
}

void apply_capacity(std::span<const int> counts, std::span<const float> next_best, int capacity,
                    Overflow overflow, CapacityResult& out) {
  out.kept.assign(counts.begin(), counts.end());
  out.padded.assign(counts.size(), 0);
  out.overflowed = out.dropped = out.rerouted = 0;
  if (overflow == Overflow::none) return;
  long routed = 0;
  for (int& n : out.kept) {
    routed += n;
    out.overflowed += std::max(0, n - capacity);
    n = std::min(n, capacity);
  }
  if (overflow == Overflow::reroute) {
    out.rerouted = reroute(out.overflowed, next_best, capacity, out.kept);
  }
  out.dropped = out.overflowed - out.rerouted;
  long kept = 0;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    if (overflow == Overflow::pad) out.padded[e] = capacity - out.kept[e];
    kept += out.kept[e];
  }
  MOESIM_LAW(kept + out.dropped == routed, "tokens kept + dropped = tokens routed");
}

}  // namespace moesim
