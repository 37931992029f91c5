// Demands of an MoE layer with a known answer.
#pragma once

#include <algorithm>
#include <cmath>

#include "sim/machine/transport.hpp"
#include "tests/machine/cases.hpp"

namespace moesim::testing {

// Experts land on ranks independently, with lognormal popularities per group of sources (one
// group per domain); `skew` 0 is even. reach = 1 - (1 - p)^k.
inline DispatchDemand skewed_demand(const RankGroup& ranks, int top_k, double tokens,
                                    double skew, std::uint64_t seed) {
  DispatchDemand d;
  d.ranks = ranks.ranks();
  d.nodes = ranks.domains();
  d.groups = ranks.domains();
  d.node_of_rank.assign(ranks.domain_of().begin(), ranks.domain_of().end());
  d.group_of_rank = d.node_of_rank;
  d.tokens.assign(static_cast<std::size_t>(d.ranks), tokens);
  Stream random(seed, "demand");
  std::vector<double> popularity;
  for (int r = 0; r < d.ranks; ++r) {
    popularity.push_back(skew > 0 ? random.lognormal(1, skew) : 1.0);
  }
  std::vector<double> assignments, reach_rank, reach_node;
  for (int g = 0; g < d.groups; ++g) {
    std::vector<double> p;
    double sum = 0;
    for (const double x : popularity) {
      p.push_back(skew > 0 ? x * random.lognormal(1, skew / 4) : x);
      sum += p.back();
    }
    std::vector<double> node(static_cast<std::size_t>(d.nodes), 0.0);
    for (std::size_t r = 0; r < p.size(); ++r) {
      p[r] /= sum;
      assignments.push_back(top_k * p[r]);
      reach_rank.push_back(1 - std::pow(1 - p[r], top_k));
      node[static_cast<std::size_t>(d.node_of_rank[r])] += p[r];
    }
    for (const double q : node) {
      reach_node.push_back(1 - std::pow(std::max(0.0, 1 - q), top_k));
    }
  }
  d.assignments = {d.groups, assignments};
  d.reach_rank = {d.groups, reach_rank};
  d.reach_node = {d.groups, reach_node};
  return d;
}

// What must leave GPUs, counted pair by pair without the product's code.
inline double expected_bytes(const RankGroup& ranks, const DispatchDemand& d, Pattern pattern,
                             double row) {
  const auto n = static_cast<std::size_t>(d.ranks);
  double all = 0, largest = 0;
  for (std::size_t s = 0; s < n; ++s) {
    const auto g = static_cast<std::size_t>(d.group_of_rank[s]);
    for (std::size_t r = 0; r < n; ++r) {
      const double reach = d.reach_rank.at(g, r);
      largest = std::max(largest, d.tokens[s] * reach * row);
      if (pattern == Pattern::per_expert && r != s) {
        all += d.tokens[s] * d.assignments.at(g, r) * row;
      }
      if (pattern == Pattern::per_rank && r != s) all += d.tokens[s] * reach * row;
      // Inside a domain all but what lands on the right GPU at once.
      if (pattern == Pattern::per_domain && ranks.lane_of()[r] != ranks.lane_of()[s]) {
        all += d.tokens[s] * reach * row;
      }
    }
    for (int m = 0; m < d.nodes && pattern == Pattern::per_domain; ++m) {
      if (m == d.node_of_rank[s]) continue;
      all += d.tokens[s] * d.reach_node.at(g, static_cast<std::size_t>(m)) * row;
    }
  }
  if (pattern == Pattern::padded) all = largest * static_cast<double>(n * (n - 1));
  return all;
}

}  // namespace moesim::testing
