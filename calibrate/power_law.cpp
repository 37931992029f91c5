#include "calibrate/power_law.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/base/rng.hpp"

namespace moesim {

namespace {

// Assignments of every expert, in increasing order.
std::vector<double> loads(double tokens, double top_k, int experts, double alpha) {
  const double assignments = tokens * top_k;
  const bool many = assignments > experts;
  const double low = many ? 1 : 0.01, high = many ? std::max(1.001, 0.8 * tokens) : 2;
  const double power = 1 - alpha;
  const double from = std::pow(low, power), to = std::pow(high, power);
  std::vector<double> load(static_cast<std::size_t>(experts));
  double sum = 0;
  for (std::size_t e = 0; e < load.size(); ++e) {
    const double u = (static_cast<double>(e) + 0.5) / experts;
    load[e] = std::pow(from + (to - from) * u, 1 / power);
    sum += load[e];
  }
  for (double& share : load) {
    share = std::min(tokens, std::round(share / sum * assignments));
  }
  return load;
}

}  // namespace

UnevenLoad power_law_load(double tokens, double top_k, int experts, double alpha) {
  const double assignments = tokens * top_k;
  UnevenLoad out;
  for (const double rows : loads(tokens, top_k, experts, alpha)) {
    out.active += rows >= 1 ? 1 : 0;
    out.most_loaded = std::max(out.most_loaded, rows);
  }
  out.active = std::clamp(out.active, std::min<double>(top_k, experts), assignments);
  out.most_loaded = std::max(out.most_loaded, assignments / out.active);
  return out;
}

RankLoad power_law_rank_load(double tokens, double top_k, int experts, int ranks,
                             double alpha) {
  constexpr int kDraws = 8;
  std::vector<double> load = loads(tokens, top_k, experts, alpha);
  const auto each = static_cast<std::size_t>(std::max(1, experts / ranks));
  Stream random(1, "power law ranks");
  RankLoad mean;
  for (int draw = 0; draw < kDraws; ++draw) {
    for (std::size_t i = load.size(); i > 1; --i) {
      std::swap(load[i - 1], load[random.below(i)]);
    }
    RankLoad most;
    for (std::size_t first = 0; first + each <= load.size(); first += each) {
      RankLoad rank;
      for (std::size_t e = first; e < first + each; ++e) {
        rank.assignments += load[e];
        rank.active += load[e] >= 1 ? 1 : 0;
        rank.most_loaded = std::max(rank.most_loaded, load[e]);
      }
      if (rank.assignments > most.assignments) most = rank;
    }
    mean.assignments += most.assignments / kDraws;
    mean.active += most.active / kDraws;
    mean.most_loaded += most.most_loaded / kDraws;
  }
  mean.assignments = std::max(1.0, mean.assignments);
  mean.active = std::max(1.0, mean.active);
  mean.most_loaded = std::max(mean.most_loaded, mean.assignments / mean.active);
  return mean;
}

}  // namespace moesim
