#include "calibrate/power_law.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

using Loads = std::span<double>;

// Adds `units` one by one to the least loaded that are below `limit`; returns what is left.
double fill_lowest(Loads loads, double units, double limit) {
  std::vector<double*> order;
  for (double& load : loads) order.push_back(&load);
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return *a < *b; });
  // The first `n` are level: raise them to the next one's level, or as far as units last.
  for (std::size_t n = 1; n <= order.size() && units > 0; ++n) {
    const double next = n < order.size() ? std::min(limit, *order[n]) : limit;
    const double room = std::max(0.0, next - *order[0]) * static_cast<double>(n);
    const double level = std::floor(std::min(units, room) / static_cast<double>(n));
    const double over = units >= room ? 0 : units - level * static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) *order[i] += level + (static_cast<double>(i) < over);
    units -= level * static_cast<double>(n) + over;
  }
  return units;
}

// Takes `units` one by one from the most loaded; returns what is left.
double drain_highest(Loads loads, double units) {
  double most = 0;
  for (const double load : loads) most = std::max(most, load);
  for (double& load : loads) load = most - load;
  const double left = fill_lowest(loads, units, most);
  for (double& load : loads) load = most - load;
  return left;
}

// The ranks take turns, one unit each; what a rank cannot take the next ones do. What none can
// take is left: a load has its limits.
template <class F>
void spread(std::vector<double>& loads, int ranks, double units, F&& adjust) {
  const std::size_t each = loads.size() / static_cast<std::size_t>(ranks);
  const auto of = [&](int rank) {
    return Loads(loads).subspan(static_cast<std::size_t>(rank) * each, each);
  };
  double left = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const double share = std::floor(units / ranks) + (rank < std::fmod(units, ranks) ? 1 : 0);
    left += adjust(of(rank), share);
  }
  for (int rank = 0; rank < ranks && left > 0; ++rank) left = adjust(of(rank), left);
}

}  // namespace

std::vector<double> draw_loads(const PowerLaw& law, Stream& random) {
  MOESIM_LAW(law.tokens >= 1 && law.top_k >= 1 && law.top_k <= law.experts && law.ranks >= 1 &&
                 law.experts % law.ranks == 0,
             "tokens choose among as many experts as there are, alike on all ranks");
  const double assignments = law.tokens * law.top_k;
  const bool many = assignments > law.experts;
  const double low = many ? 1 : 0.01, high = many ? std::max(1.001, 0.8 * law.tokens) : 2;
  // Inverse of the distribution at `u`; alpha = 1 is log-uniform.
  const double power = 1 - law.alpha;
  const double from = std::pow(low, power), to = std::pow(high, power);
  const auto inverse = [&](double u) {
    if (std::abs(power) < 1e-9) return low * std::pow(high / low, u);
    return std::pow(from + (to - from) * u, 1 / power);
  };
  std::vector<double> loads(static_cast<std::size_t>(law.experts));
  double sum = 0;
  for (double& load : loads) {
    load = inverse(random.uniform());
    sum += load;
  }
  double total = 0;
  for (double& load : loads) {
    load = std::min(law.tokens, std::round(load / sum * assignments));
    total += load;
  }
  const auto raise = [&](Loads of, double units) { return fill_lowest(of, units, law.tokens); };
  if (total < assignments) spread(loads, law.ranks, assignments - total, raise);
  if (total > assignments) spread(loads, law.ranks, total - assignments, drain_highest);
  return loads;
}

RankLoad power_law_load(const PowerLaw& law) {
  constexpr int kDraws = 16;
  const auto each = static_cast<std::size_t>(std::max(1, law.experts / law.ranks));
  Stream random(1, "power law");
  RankLoad mean;
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<double> loads = draw_loads(law, random);
    RankLoad most;
    for (std::size_t first = 0; first + each <= loads.size(); first += each) {
      RankLoad rank;
      for (std::size_t e = first; e < first + each; ++e) {
        rank.assignments += loads[e];
        rank.active += loads[e] >= 1 ? 1 : 0;
        rank.most_loaded = std::max(rank.most_loaded, loads[e]);
      }
      if (rank.assignments > most.assignments) most = rank;
    }
    mean.assignments += most.assignments / kDraws;
    mean.active += most.active / kDraws;
    mean.most_loaded += most.most_loaded / kDraws;
  }
  return mean;
}

}  // namespace moesim
