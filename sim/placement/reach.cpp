#include "sim/placement/reach.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

struct Share {
  int place;  // rank or node
  double amount;
};

// The places an expert's tokens from one group go to, added up per place.
using Shares = std::vector<std::vector<Share>>;  // [experts]

void add_share(std::vector<Share>& list, int place, double amount) {
  for (Share& share : list) {
    if (share.place == place) {
      share.amount += amount;
      return;
    }
  }
  list.push_back({place, amount});
}

// Mean over tokens of the assignments and of 1 - prod (1 - share), per place.
void accumulate(const TokenView& sample, const Shares& shares, std::span<double> assignments,
                std::span<double> reach) {
  std::vector<double> miss(reach.size(), 1.0);
  std::vector<int> touched;
  std::vector<char> goes(shares.size());  // anywhere
  for (std::size_t e = 0; e < shares.size(); ++e) goes[e] = shares[e].empty() ? 0 : 1;
  for (std::size_t t = 0; t < sample.tokens(); ++t) {
    for (const std::uint16_t e : sample.of(t)) {
      if (goes[e] == 0) continue;
      for (const Share& share : shares[e]) {
        if (miss[z(share.place)] == 1.0) touched.push_back(share.place);
        miss[z(share.place)] *= 1 - std::min(share.amount, 1.0);
        if (!assignments.empty()) assignments[z(share.place)] += share.amount;
      }
    }
    for (const int place : touched) {
      reach[z(place)] += 1 - miss[z(place)];
      miss[z(place)] = 1.0;
    }
    touched.clear();
  }
  const double each = 1.0 / static_cast<double>(sample.tokens());
  for (double& a : assignments) a *= each;
  for (double& r : reach) r = std::min(1.0, r * each);
}

// The same where the shares differ from token to token; one group.
void accumulate_tokens(const Placement& p, int layer, const DispatchPolicy& policy,
                       const TokenView& sample, SampledShares& d) {
  const auto gpus = p.slot_gpus(layer);
  const auto experts = p.slot_experts(layer);
  const double each = 1.0 / static_cast<double>(sample.tokens());
  std::vector<double> miss_rank(z(d.ranks));
  std::vector<double> miss_node(z(d.nodes));
  std::vector<double> on_node(z(d.nodes));
  std::vector<SlotShare> shares;
  for (std::size_t t = 0; t < sample.tokens(); ++t) {
    policy.token_shares(layer, sample.of(t), shares);
    std::ranges::fill(miss_rank, 1.0);
    std::ranges::fill(miss_node, 1.0);
    for (std::size_t i = 0; i < shares.size();) {  // the slots of one expert follow each other
      const int expert = experts[z(shares[i].slot)];
      std::ranges::fill(on_node, 0.0);
      for (; i < shares.size() && experts[z(shares[i].slot)] == expert; ++i) {
        const std::size_t g = z(gpus[z(shares[i].slot)]);
        d.assignments[g] += shares[i].share * each;
        miss_rank[g] *= 1 - std::min(shares[i].share, 1.0);
        on_node[z(p.node_of(static_cast<int>(g)))] += shares[i].share;
      }
      for (std::size_t n = 0; n < on_node.size(); ++n) {
        miss_node[n] *= 1 - std::min(on_node[n], 1.0);
      }
    }
    for (std::size_t g = 0; g < miss_rank.size(); ++g)
      d.reach_rank[g] += (1 - miss_rank[g]) * each;
    for (std::size_t n = 0; n < miss_node.size(); ++n)
      d.reach_node[n] += (1 - miss_node[n]) * each;
  }
  for (double& r : d.reach_rank) r = std::min(r, 1.0);
  for (double& r : d.reach_node) r = std::min(r, 1.0);
}

}  // namespace

Reach::Reach(const Placement& placement, DispatchPolicy& policy,
             std::span<const TokenView> samples)
    : placement_(&placement), top_k_(samples.front().top_k) {
  MOESIM_LAW(samples.size() == z(placement.layers), "every layer has a token sample");
  for (int l = 0; l < placement.layers; ++l) {
    const TokenView& sample = samples[z(l)];
    MOESIM_LAW(sample.tokens() > 0 && sample.top_k == top_k_, "a sample has tokens of top_k");
    DispatchDemand demand;
    demand.ranks = placement.gpus;
    demand.nodes = placement.nodes;
    demand.groups = policy.groups();
    demand.group_of_rank = policy.group_of_gpu();
    for (int g = 0; g < placement.gpus; ++g) {
      demand.node_of_rank.push_back(placement.node_of(g));
    }
    demand_.push_back(std::move(demand));
    policy.learn(l, sample);
    std::vector<double> counts(z(placement.experts), 0.0);
    for (const std::uint16_t e : sample.experts) counts[e] += 1;
    std::vector<double> shares;
    policy.shares(l, counts, shares);
    const SampledShares whole = sample_layer(l, policy, sample, shares);
    check(whole);
    DispatchDemand& sampled = demand_.back();
    sampled.assignments = {whole.groups, whole.assignments};
    sampled.reach_rank = {whole.groups, whole.reach_rank};
    sampled.reach_node = {whole.groups, whole.reach_node};
    tables_.emplace_back(whole, shares, placement.slot_experts(l), placement.gpu_slots(l));
  }
}

SampledShares Reach::sample_layer(int layer, const DispatchPolicy& policy,
                                  const TokenView& sample,
                                  std::span<const double> shares) const {
  SampledShares d{policy.groups(), placement_->gpus, placement_->nodes};
  d.assignments.assign(z(d.groups) * z(d.ranks), 0.0);
  d.reach_rank.assign(z(d.groups) * z(d.ranks), 0.0);
  d.reach_node.assign(z(d.groups) * z(d.nodes), 0.0);
  if (policy.looks_at_tokens()) {
    MOESIM_LAW(d.groups == 1, "policies that look at tokens do not look at sources");
    accumulate_tokens(*placement_, layer, policy, sample, d);
  } else {
    for (int group = 0; group < d.groups; ++group) {
      sample_group(layer, group, sample, shares, d);
    }
  }
  return d;
}

// A group that treats a place as the first group does has the same chances there.
void Reach::sample_group(int layer, int group, const TokenView& sample,
                         std::span<const double> shares, SampledShares& d) const {
  const auto gpus = placement_->slot_gpus(layer);
  const auto experts = placement_->slot_experts(layer);
  const auto begin = placement_->gpu_slots(layer);
  const std::size_t ranks = z(d.ranks);
  const std::size_t nodes = z(d.nodes);
  const std::size_t per_node = ranks / nodes;
  const auto own = shares.subspan(z(group) * experts.size(), experts.size());
  const auto as_first = [&](int from, int to) {
    return group > 0 && std::equal(&shares[0] + from, &shares[0] + to, &own[0] + from);
  };
  std::vector<char> rank_as_first(ranks);
  std::vector<char> node_as_first(nodes);
  for (std::size_t r = 0; r < ranks; ++r) rank_as_first[r] = as_first(begin[r], begin[r + 1]);
  for (std::size_t n = 0; n < nodes; ++n) {
    node_as_first[n] = as_first(begin[n * per_node], begin[(n + 1) * per_node]);
  }
  Shares to_rank(z(placement_->experts));
  Shares to_node(z(placement_->experts));
  for (std::size_t s = 0; s < experts.size(); ++s) {
    if (own[s] <= 0) continue;
    const int node = placement_->node_of(gpus[s]);
    if (!rank_as_first[z(gpus[s])]) add_share(to_rank[z(experts[s])], gpus[s], own[s]);
    if (!node_as_first[z(node)]) add_share(to_node[z(experts[s])], node, own[s]);
  }
  const auto assignments = std::span(d.assignments).subspan(z(group) * ranks, ranks);
  const auto reach_rank = std::span(d.reach_rank).subspan(z(group) * ranks, ranks);
  const auto reach_node = std::span(d.reach_node).subspan(z(group) * nodes, nodes);
  accumulate(sample, to_rank, assignments, reach_rank);
  accumulate(sample, to_node, {}, reach_node);
  for (std::size_t r = 0; r < ranks; ++r) {
    if (!rank_as_first[r]) continue;
    assignments[r] = d.assignments[r];
    reach_rank[r] = d.reach_rank[r];
  }
  for (std::size_t n = 0; n < nodes; ++n) {
    if (node_as_first[n]) reach_node[n] = d.reach_node[n];
  }
}

void Reach::rescale(int layer, std::span<const double> counts, DemandShares asked,
                    DispatchDemand& out) const {
  const DispatchDemand& base = demand_[at(layer)];
  if (out.groups != base.groups || out.ranks != base.ranks || out.nodes != base.nodes) {
    out.ranks = base.ranks;
    out.nodes = base.nodes;
    out.groups = base.groups;
    out.node_of_rank = base.node_of_rank;
    out.group_of_rank = base.group_of_rank;
  }
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  if (total <= 0) {  // no tokens: the shares do not matter, keep lawful ones
    out.assignments = base.assignments;
    out.reach_rank = base.reach_rank;
    out.reach_node = base.reach_node;
    return;
  }
  tables_[at(layer)].fill(counts, top_k_ / total, asked, out);
  MOESIM_LAW(std::abs(out.assignments.sum(0) - top_k_) <= 1e-6 * top_k_,
             "tokens routed = tokens x top_k");
}

void Reach::check(const SampledShares& d) const {
  const std::size_t ranks = z(d.ranks);
  const std::size_t per_node = ranks / z(d.nodes);
  for (std::size_t group = 0; group < z(d.groups); ++group) {
    double row = 0;
    for (std::size_t r = 0; r < ranks; ++r) {
      const double a = d.assignments[group * ranks + r];
      const double p = d.reach_rank[group * ranks + r];
      const double node = d.reach_node[group * z(d.nodes) + r / per_node];
      row += a;
      MOESIM_LAW(p >= 0 && p <= 1 && p <= a * (1 + 1e-9) + 1e-12,
                 "a token reaches a GPU at most as often as it has experts there");
      MOESIM_LAW(node <= 1 && node >= p * (1 - 1e-9),
                 "a token that reaches a GPU reaches its node");
    }
    MOESIM_LAW(std::abs(row - top_k_) <= 1e-6 * top_k_, "tokens routed = tokens x top_k");
  }
}

namespace {

// Of a token's copies, mean over the sources.
double per_token(const DispatchDemand& d, const ShareRows& rows) {
  std::vector<double> row(rows.places());
  double total = 0;
  for (const int group : d.group_of_rank) {
    rows.expand(z(group), 0, row);
    total += std::accumulate(row.begin(), row.end(), 0.0);
  }
  return total / d.ranks;
}

}  // namespace

double Reach::nodes_per_token(int layer) const {
  return per_token(demand_[at(layer)], demand_[at(layer)].reach_node);
}

double Reach::ranks_per_token(int layer) const {
  return per_token(demand_[at(layer)], demand_[at(layer)].reach_rank);
}

}  // namespace moesim
