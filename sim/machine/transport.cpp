#include "sim/machine/transport.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace moesim {
namespace {

// A measured time below the datasheet's bandwidth is noise near the overhead.
constexpr double kAtMost = 1.0;

}  // namespace

std::span<const Entry<Pattern>> transports() {
  static constexpr std::array<Entry<Pattern>, 4> table{{
      {"pairwise", "each (token, expert GPU) pair once", Pattern::per_rank},
      {"node_dedup", "once per destination node, then NVLink", Pattern::per_domain},
      {"low_latency", "one message per (token, expert)", Pattern::per_expert},
      {"nccl", "padded all-to-all", Pattern::padded},
  }};
  return table;
}

Pattern parse_transport(std::string_view name) {
  return find_entry(transports(), name, "transport").make;
}

std::string_view to_text(Pattern pattern) {
  return transports()[static_cast<std::size_t>(pattern)].name;
}

LayerExchange::LayerExchange(const RankGroup& ranks, Pattern pattern, const TransportFit& fit,
                             double experts_per_rank)
    : ranks_(&ranks), pattern_(pattern), fit_(fit), experts_per_rank_(experts_per_rank) {
  const Cluster& cluster = ranks.cluster();
  for (const GpuId gpu : ranks.gpus()) {
    const GpuPlace& place = cluster.place(gpu);
    if (place.up.value >= 0) local_bandwidth_ += cluster.link(place.up).bandwidth;
    if (place.nic >= 0) {
      network_bandwidth_ += cluster.nics()[static_cast<std::size_t>(place.nic)].bandwidth;
    }
  }
  local_bandwidth_ /= ranks.ranks();
  network_bandwidth_ /= ranks.ranks();
}

const Traffic& LayerExchange::dispatch(const DispatchDemand& demand, Bytes row) {
  take(demand);
  return dispatch(row);
}

const Traffic& LayerExchange::combine(const DispatchDemand& demand, Bytes row) {
  take(demand);
  return combine(row);
}

const Traffic& LayerExchange::dispatch(Bytes row) {
  return fill(row, Direction::forward, fit_.dispatch);
}

const Traffic& LayerExchange::combine(Bytes row) {
  return fill(row, Direction::backward, fit_.combine);
}

DemandShares LayerExchange::asks() const {
  if (pattern_ == Pattern::per_expert) return DemandShares::assignments;
  return pattern_ == Pattern::per_domain ? DemandShares::nodes : DemandShares::ranks;
}

void LayerExchange::take(const DispatchDemand& demand) {
  check(demand);
  check_rows(demand);
  demand_ = &demand;
}

void LayerExchange::check(const DispatchDemand& demand) const {
  const auto ranks = static_cast<std::size_t>(demand.ranks);
  const auto groups = static_cast<std::size_t>(demand.groups);
  const auto nodes = static_cast<std::size_t>(demand.nodes);
  MOESIM_LAW(demand.ranks == ranks_->ranks(), "a demand has the ranks of its group");
  MOESIM_LAW(demand.nodes == ranks_->domains(), "a demand's nodes are its group's domains");
  MOESIM_LAW(demand.tokens.size() == ranks && demand.group_of_rank.size() == ranks,
             "every rank has tokens and a row of shares");
  const auto has = [&](const ShareRows& rows, std::size_t places, DemandShares since) {
    return (rows.empty() && asks() < since) ||
           (rows.places() == places && rows.groups() == groups);
  };
  MOESIM_LAW(has(demand.assignments, ranks, DemandShares::assignments) &&
                 has(demand.reach_rank, ranks, DemandShares::ranks) &&
                 has(demand.reach_node, nodes, DemandShares::nodes),
             "a demand has a share per row and rank or node");
}

namespace {

// The most by which a chance to be reached is above its assignments, above 1 or below 0, in
// what groups usually do ...
double usual_excess(const ShareRows& assignments, const ShareRows& reach) {
  double excess = 0;
  for (std::size_t r = 0; r < reach.places(); ++r) {
    const double p = reach.usual[r];
    excess = std::max({excess, p - assignments.usual[r], p - 1, -p});
  }
  return excess;
}

// ... and in what one group departs from it.
double excess_of(const ShareRows& assignments, const ShareRows& reach, std::size_t group) {
  double excess = 0;
  auto assigned = assignments.of(group).begin();
  const auto last = assignments.of(group).end();
  for (const ShareRows::Cell& cell : reach.of(group)) {
    while (assigned != last && assigned->place < cell.place) ++assigned;
    const bool departs = assigned != last && assigned->place == cell.place;
    const double a =
        departs ? assigned->value : assignments.usual[static_cast<std::size_t>(cell.place)];
    excess = std::max({excess, cell.value - a, cell.value - 1, -cell.value});
  }
  return excess;
}

}  // namespace

// Bytes sent are tokens x these shares x row, so the shares are where bytes could get lost.
void LayerExchange::check_rows(const DispatchDemand& demand) {
  const std::size_t groups = demand.assignments.groups();
  const bool ranks = !demand.reach_rank.empty();
  const bool nodes = !demand.reach_node.empty();
  const double assigned = demand.assignments.usual_sum();
  const double reached = demand.reach_rank.usual_sum();
  const double crossed = demand.reach_node.usual_sum();
  const double excess = ranks ? usual_excess(demand.assignments, demand.reach_rank) : 0;
  sums_.assign(groups, {});
  double top_k = -1;
  for (std::size_t g = 0; g < groups; ++g) {
    RowSums& sum = sums_[g];
    sum.assigned = demand.assignments.sum(g, assigned);
    if (ranks) sum.reached = demand.reach_rank.sum(g, reached);
    if (nodes) sum.crossed = demand.reach_node.sum(g, crossed);
    if (sum.assigned == 0 && sum.reached == 0) continue;  // a group without tokens
    if (top_k < 0) top_k = sum.assigned;
    const double rounding = 1e-6 * top_k;
    MOESIM_LAW(std::abs(sum.assigned - top_k) <= rounding,
               "every source assigns its tokens to top_k experts");
    if (!ranks) continue;
    const double most = std::max(excess, excess_of(demand.assignments, demand.reach_rank, g));
    MOESIM_LAW(most <= rounding, "a rank is reached at most once per token and assignment");
    MOESIM_LAW(sum.reached <= top_k + rounding &&
                   (!nodes || (sum.crossed <= sum.reached + rounding && sum.crossed > 0)),
               "deduplication removes bytes and never all: nodes <= ranks <= top_k");
  }
}

const Traffic& LayerExchange::fill(Bytes row, Direction direction, const TransportCost& cost) {
  const DispatchDemand& demand = *demand_;
  weight_.resize(demand.tokens.size());
  for (std::size_t r = 0; r < weight_.size(); ++r) weight_[r] = demand.tokens[r] * row.value;
  traffic_.ranks = ranks_;
  traffic_.direction = direction;
  traffic_.group = demand.group_of_rank;
  traffic_.weight = weight_;
  traffic_.share = pattern_ == Pattern::per_expert ? &demand.assignments : &demand.reach_rank;
  const bool relays = pattern_ == Pattern::per_domain && demand.nodes > 1;
  traffic_.share_domain = relays ? &demand.reach_node : nullptr;
  traffic_.padded_pair = pattern_ == Pattern::padded ? largest_pair(demand) : Bytes{0};
  const Even seconds = even(demand);
  const Efficiency efficiency =
      efficiency_of(cost, row, fit_.sms, seconds.local, seconds.network);
  traffic_.local_efficiency = efficiency.local;
  traffic_.network_efficiency = efficiency.network;
  traffic_.overhead = overhead_of(cost, demand.ranks, demand.nodes, experts_per_rank_);
  if (pattern_ == Pattern::padded) follow_curve(seconds.local);
  return traffic_;
}

// As fast inside the domain as the measured all-to-all of its ranks: the first point is the
// overhead, the rest the bytes.
void LayerExchange::follow_curve(Seconds local) {
  const CollectiveCurve* curve = curve_for(fit_.curves, "nccl", "alltoall", ranks_->lanes());
  if (curve == nullptr || local.value <= 0) return;
  const Bytes from_each = traffic_.padded_pair * ranks_->lanes();
  const Seconds first{curve->seconds.front()};
  const Seconds rest = read_curve(*curve, from_each) - first;
  traffic_.overhead = std::max(Seconds{0}, first - ranks_->local_latency());
  if (rest.value > 0) traffic_.local_efficiency = std::min(local / rest, kAtMost);
}

// Sums over all sources as if their destinations were spread evenly over the ranks: exact when
// the traffic is even, and skew is the network model's matter, not the efficiency's.
LayerExchange::Even LayerExchange::even(const DispatchDemand& demand) {
  const double ranks = demand.ranks;
  const double lanes = ranks_->lanes();
  double pairs = 0, domains = 0;
  if (traffic_.padded_pair.value > 0) {
    pairs = traffic_.padded_pair.value * ranks * ranks;
  } else {
    group_weight_.assign(static_cast<std::size_t>(demand.groups), 0.0);
    for (std::size_t r = 0; r < weight_.size(); ++r) {
      group_weight_[static_cast<std::size_t>(demand.group_of_rank[r])] += weight_[r];
    }
    for (std::size_t g = 0; g < group_weight_.size(); ++g) {
      const RowSums& row = sums_[g];
      pairs +=
          group_weight_[g] * (pattern_ == Pattern::per_expert ? row.assigned : row.reached);
      domains += group_weight_[g] * row.crossed;
    }
  }
  Even out;
  const bool relays = traffic_.relayed();
  const double inside = relays ? (ranks - demand.nodes) / ranks : (lanes - 1) / ranks;
  const double across =
      relays ? domains * (demand.nodes - 1) / demand.nodes : pairs * (ranks - lanes) / ranks;
  if (local_bandwidth_.value > 0) out.local = Bytes{pairs * inside / ranks} / local_bandwidth_;
  if (network_bandwidth_.value > 0) out.network = Bytes{across / ranks} / network_bandwidth_;
  return out;
}

Bytes LayerExchange::largest_pair(const DispatchDemand& demand) {
  const auto ranks = static_cast<std::size_t>(demand.ranks);
  group_weight_.assign(static_cast<std::size_t>(demand.groups), 0.0);
  for (std::size_t r = 0; r < ranks; ++r) {
    double& weight = group_weight_[static_cast<std::size_t>(demand.group_of_rank[r])];
    weight = std::max(weight, weight_[r]);
  }
  double largest = 0;
  std::vector<double> row(ranks);
  for (std::size_t g = 0; g < group_weight_.size(); ++g) {
    demand.reach_rank.expand(g, 0, row);
    largest = std::max(largest, group_weight_[g] * *std::max_element(row.begin(), row.end()));
  }
  return Bytes{largest};
}

}  // namespace moesim
