#include "sim/machine/transport.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace moesim {

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

LayerExchange::LayerExchange(const RankGroup& ranks, Pattern pattern, const TransportFit& fit)
    : ranks_(&ranks), pattern_(pattern), fit_(fit) {}

const Traffic& LayerExchange::dispatch(const DispatchDemand& demand, Bytes row) {
  return fill(demand, row, Direction::forward, fit_.dispatch);
}

const Traffic& LayerExchange::combine(const DispatchDemand& demand, Bytes row) {
  return fill(demand, row, Direction::backward, fit_.combine);
}

void LayerExchange::check(const DispatchDemand& demand) const {
  const auto ranks = static_cast<std::size_t>(demand.ranks);
  const auto groups = static_cast<std::size_t>(demand.groups);
  MOESIM_LAW(demand.ranks == ranks_->ranks(), "a demand has the ranks of its group");
  MOESIM_LAW(demand.nodes == ranks_->domains(), "a demand's nodes are its group's domains");
  MOESIM_LAW(demand.tokens.size() == ranks && demand.group_of_rank.size() == ranks,
             "every rank has tokens and a row of shares");
  MOESIM_LAW(demand.assignments.size() == groups * ranks &&
                 demand.reach_rank.size() == groups * ranks &&
                 demand.reach_node.size() == groups * static_cast<std::size_t>(demand.nodes),
             "a demand has a share per row and rank or node");
}

const Traffic& LayerExchange::fill(const DispatchDemand& demand, Bytes row, Direction direction,
                                   const TransportCost& cost) {
  check(demand);
  weight_.resize(demand.tokens.size());
  for (std::size_t r = 0; r < weight_.size(); ++r) weight_[r] = demand.tokens[r] * row.value;
  traffic_.ranks = ranks_;
  traffic_.direction = direction;
  traffic_.group = demand.group_of_rank;
  traffic_.weight = weight_;
  traffic_.share = pattern_ == Pattern::per_expert ? demand.assignments : demand.reach_rank;
  traffic_.share_domain = {};
  if (pattern_ == Pattern::per_domain && demand.nodes > 1) {
    traffic_.share_domain = demand.reach_node;
  }
  traffic_.padded_pair = pattern_ == Pattern::padded ? largest_pair(demand) : Bytes{0};
  traffic_.local_efficiency = cost.local_efficiency;
  traffic_.network_efficiency = cost.network_efficiency;
  traffic_.overhead = cost.fixed + cost.per_doubling * std::log2(std::max(demand.ranks, 1));
  return traffic_;
}

Bytes LayerExchange::largest_pair(const DispatchDemand& demand) const {
  const auto ranks = static_cast<std::size_t>(demand.ranks);
  std::vector<double> heaviest(static_cast<std::size_t>(demand.groups), 0.0);
  for (std::size_t r = 0; r < ranks; ++r) {
    double& weight = heaviest[static_cast<std::size_t>(demand.group_of_rank[r])];
    weight = std::max(weight, weight_[r]);
  }
  double largest = 0;
  for (std::size_t g = 0; g < heaviest.size(); ++g) {
    const auto row = demand.reach_rank.begin() + static_cast<std::ptrdiff_t>(g * ranks);
    largest =
        std::max(largest, heaviest[g] *
                              *std::max_element(row, row + static_cast<std::ptrdiff_t>(ranks)));
  }
  return Bytes{largest};
}

}  // namespace moesim
