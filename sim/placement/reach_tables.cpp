#include "sim/placement/reach_tables.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace moesim {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// d/dx of 1 - (1 - p)^x at x = 1; 0 where p is 0 or 1.
double slope_of(double p) { return p > 0 && p < 1 ? -(1 - p) * std::log1p(-p) : 0.0; }

// What most groups do with the slots [first, last): the groups that do just that.
std::vector<char> usual_groups(std::span<const double> shares, std::size_t slots,
                               std::size_t first, std::size_t last) {
  const std::size_t groups = shares.size() / slots;
  std::map<std::vector<double>, std::size_t> times;
  const auto pattern = [&](std::size_t g) {
    const auto row = shares.subspan(g * slots + first, last - first);
    return std::vector<double>(row.begin(), row.end());
  };
  for (std::size_t g = 0; g < groups; ++g) ++times[pattern(g)];
  const auto most = std::ranges::max_element(times, {}, [](const auto& t) { return t.second; });
  std::vector<char> usual(groups);
  for (std::size_t g = 0; g < groups; ++g) usual[g] = pattern(g) == most->first;
  return usual;
}

int first_of(const std::vector<char>& flags) {
  return static_cast<int>(std::ranges::find(flags, char{1}) - flags.begin());
}

// [groups + 1] where each group's cells begin.
template <class Cell>
std::vector<std::size_t> firsts(const std::vector<Cell>& cells, int groups) {
  std::vector<std::size_t> first;
  for (int g = 0; g <= groups; ++g) {
    const auto at = std::ranges::lower_bound(cells, g, {}, &Cell::group);
    first.push_back(static_cast<std::size_t>(at - cells.begin()));
  }
  return first;
}

// Gives `out` the cells of a table, without values.
template <class Cell>
void shape(ShareRows& out, std::size_t places, const std::vector<Cell>& cells,
           const std::vector<std::size_t>& first) {
  out.usual.resize(places);
  out.first = first;
  out.cells.resize(cells.size());
  for (std::size_t c = 0; c < cells.size(); ++c) {
    out.cells[c].group = cells[c].group;
    out.cells[c].place = cells[c].place;
  }
}

}  // namespace

double ReachTables::Chance::of_rank(double assignments) const {
  return std::clamp(at(assignments), 0.0, std::min(assignments, 1.0));
}

ReachTables::Chance ReachTables::chance(double assignments, double probability) {
  return {assignments > 0 ? 1 / assignments : 0.0, probability, slope_of(probability)};
}

ReachTables::Range ReachTables::add_terms(std::span<const double> shares,
                                          std::span<const int> experts) {
  const auto before = static_cast<std::uint32_t>(terms_.size());
  for (std::size_t s = 0; s < shares.size(); ++s) {
    if (shares[s] > 0) terms_.push_back({experts[s], shares[s]});
  }
  return {before, static_cast<std::uint32_t>(terms_.size())};
}

ReachTables::ReachTables(const SampledShares& sampled, std::span<const double> shares,
                         std::span<const int> slot_experts, std::span<const int> gpu_slots)
    : per_node_(sampled.ranks / sampled.nodes) {
  add_ranks(sampled, shares, slot_experts, gpu_slots);
  add_nodes(sampled, shares, slot_experts.size(), gpu_slots);
}

void ReachTables::add_ranks(const SampledShares& sampled, std::span<const double> shares,
                            std::span<const int> slot_experts, std::span<const int> gpu_slots) {
  const std::size_t slots = slot_experts.size();
  for (int r = 0; r < sampled.ranks; ++r) {
    const std::size_t first = z(gpu_slots[z(r)]);
    const std::size_t count = z(gpu_slots[z(r) + 1]) - first;
    const auto usual = usual_groups(shares, slots, first, first + count);
    const auto terms_of = [&](int group) {
      return add_terms(shares.subspan(z(group) * slots + first, count),
                       slot_experts.subspan(first));
    };
    const int common = first_of(usual);
    const std::size_t at = z(common) * z(sampled.ranks) + z(r);
    usual_terms_.push_back(terms_of(common));
    usual_chances_.push_back(chance(sampled.assignments[at], sampled.reach_rank[at]));
    for (int g = 0; g < sampled.groups; ++g) {
      if (!usual[z(g)]) cells_.push_back({g, r, terms_of(g)});
    }
  }
  std::ranges::stable_sort(cells_, {}, &Cell::group);
  for (const Cell& cell : cells_) {
    const std::size_t at = z(cell.group) * z(sampled.ranks) + z(cell.place);
    chances_.push_back(chance(sampled.assignments[at], sampled.reach_rank[at]));
  }
  first_ = firsts(cells_, sampled.groups);
}

void ReachTables::add_nodes(const SampledShares& sampled, std::span<const double> shares,
                            std::size_t slots, std::span<const int> gpu_slots) {
  const auto of_node = [&](const Cell& cell) {
    const double* row =
        &sampled.assignments[z(cell.group) * z(sampled.ranks) + z(cell.place * per_node_)];
    return chance(std::accumulate(row, row + per_node_, 0.0),
                  sampled.reach_node[z(cell.group) * z(sampled.nodes) + z(cell.place)]);
  };
  const auto cell_of = [&](int group, int node) {
    return Cell{group, node, cells_in(group, node * per_node_, (node + 1) * per_node_)};
  };
  for (int n = 0; n < sampled.nodes; ++n) {
    const auto usual = usual_groups(shares, slots, z(gpu_slots[z(n * per_node_)]),
                                    z(gpu_slots[z((n + 1) * per_node_)]));
    usual_nodes_.push_back(cell_of(first_of(usual), n));
    usual_node_chances_.push_back(of_node(usual_nodes_.back()));
    for (int g = 0; g < sampled.groups; ++g) {
      if (!usual[z(g)]) node_cells_.push_back(cell_of(g, n));
    }
  }
  std::ranges::stable_sort(node_cells_, {}, &Cell::group);
  for (const Cell& cell : node_cells_) node_chances_.push_back(of_node(cell));
  node_first_ = firsts(node_cells_, sampled.groups);
}

ReachTables::Range ReachTables::cells_in(int group, int from, int to) const {
  const auto cells =
      std::span(cells_).subspan(first_[z(group)], first_[z(group) + 1] - first_[z(group)]);
  const auto at = [&](int place) {
    const auto found = std::ranges::lower_bound(cells, place, {}, &Cell::place);
    return static_cast<std::uint32_t>(first_[z(group)]) +
           static_cast<std::uint32_t>(found - cells.begin());
  };
  return {at(from), at(to)};
}

double ReachTables::assigned(Range range, std::span<const double> counts) const {
  double sum = 0;
  for (std::size_t t = range.first; t < range.second; ++t) {
    sum += counts[z(terms_[t].expert)] * terms_[t].share;
  }
  return sum;
}

void ReachTables::fill(std::span<const double> counts, double per_token, DemandShares asked,
                       DispatchDemand& out) const {
  shape(out.assignments, usual_terms_.size(), cells_, first_);
  for (std::size_t r = 0; r < usual_terms_.size(); ++r) {
    out.assignments.usual[r] = per_token * assigned(usual_terms_[r], counts);
  }
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    out.assignments.cells[c].value = per_token * assigned(cells_[c].range, counts);
  }
  out.reach_rank.usual.clear();
  out.reach_node.usual.clear();
  if (asked >= DemandShares::ranks) fill_ranks(out);
  if (asked >= DemandShares::nodes) fill_nodes(out);
}

void ReachTables::fill_ranks(DispatchDemand& out) const {
  shape(out.reach_rank, usual_terms_.size(), cells_, first_);
  for (std::size_t r = 0; r < usual_terms_.size(); ++r) {
    out.reach_rank.usual[r] = usual_chances_[r].of_rank(out.assignments.usual[r]);
  }
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    out.reach_rank.cells[c].value = chances_[c].of_rank(out.assignments.cells[c].value);
  }
}

double ReachTables::node_chance(const DispatchDemand& out, const UsualNode& usual,
                                const Cell& cell, const Chance& chance) const {
  UsualNode node = usual;
  bool lost_most = false;  // the rank that is usually reached most departs
  double most = 0;
  for (std::size_t c = cell.range.first; c < cell.range.second; ++c) {
    const std::size_t rank = z(cells_[c].place);
    const double reach = out.reach_rank.usual[rank];
    node.amount += out.assignments.cells[c].value - out.assignments.usual[rank];
    node.any += out.reach_rank.cells[c].value - reach;
    lost_most = lost_most || reach == usual.most;
    most = std::max(most, out.reach_rank.cells[c].value);
  }
  if (lost_most) {
    std::size_t c = cell.range.first;
    const int first = cell.place * per_node_;
    for (int r = first; r < first + per_node_; ++r) {
      const bool departs = c < cell.range.second && cells_[c].place == r;
      if (departs)
        ++c;
      else
        most = std::max(most, out.reach_rank.usual[z(r)]);
    }
  } else {
    most = std::max(most, usual.most);
  }
  return std::clamp(chance.at(node.amount), most,
                    std::max(most, std::min({node.amount, node.any, 1.0})));
}

void ReachTables::fill_nodes(DispatchDemand& out) const {
  shape(out.reach_node, usual_nodes_.size(), node_cells_, node_first_);
  std::vector<UsualNode> usual(usual_nodes_.size());
  for (std::size_t n = 0; n < usual.size(); ++n) {
    for (std::size_t r = n * z(per_node_); r < (n + 1) * z(per_node_); ++r) {
      usual[n].amount += out.assignments.usual[r];
      usual[n].any += out.reach_rank.usual[r];
      usual[n].most = std::max(usual[n].most, out.reach_rank.usual[r]);
    }
    out.reach_node.usual[n] =
        node_chance(out, usual[n], usual_nodes_[n], usual_node_chances_[n]);
  }
  for (std::size_t c = 0; c < node_cells_.size(); ++c) {
    const Cell& cell = node_cells_[c];
    out.reach_node.cells[c].value =
        node_chance(out, usual[z(cell.place)], cell, node_chances_[c]);
  }
}

}  // namespace moesim
