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

}  // namespace

ReachTables::Chance ReachTables::chance(double assignments, double probability) {
  return {assignments > 0 ? 1 / assignments : 0.0, probability, slope_of(probability)};
}

void ReachTables::add_terms(std::span<const double> shares, std::span<const int> experts) {
  for (std::size_t s = 0; s < shares.size(); ++s) {
    if (shares[s] > 0) terms_.push_back({experts[s], shares[s]});
  }
}

ReachTables::ReachTables(const DispatchDemand& d, std::span<const double> shares,
                         std::span<const int> slot_experts, std::span<const int> gpu_slots) {
  const std::size_t slots = slot_experts.size();
  const auto of_rank = [&](int group, int r) {
    const std::size_t i = z(group) * z(d.ranks) + z(r);
    return chance(d.assignments[i], d.reach_rank[i]);
  };
  for (int r = 0; r < d.ranks; ++r) {
    const std::size_t first = z(gpu_slots[z(r)]);
    const std::size_t count = z(gpu_slots[z(r) + 1]) - first;
    const auto usual = usual_groups(shares, slots, first, first + count);
    const auto terms_of = [&](int group) {
      const std::size_t before = terms_.size();
      add_terms(shares.subspan(z(group) * slots + first, count), slot_experts.subspan(first));
      return before;
    };
    const int common = first_of(usual);
    const std::size_t begin = terms_of(common);
    rank_.push_back({common, of_rank(common, r), begin, terms_.size()});
    for (int g = 0; g < d.groups; ++g) {
      if (usual[z(g)]) continue;
      const std::size_t before = terms_of(g);
      cells_.push_back({g, r, of_rank(g, r), before, terms_.size()});
    }
  }
  const int per_node = d.ranks / d.nodes;
  const auto of_node = [&](int group, int n) {
    const double* row = &d.assignments[z(group) * z(d.ranks) + z(n * per_node)];
    return chance(std::accumulate(row, row + per_node, 0.0),
                  d.reach_node[z(group) * z(d.nodes) + z(n)]);
  };
  for (int n = 0; n < d.nodes; ++n) {
    const auto usual = usual_groups(shares, slots, z(gpu_slots[z(n * per_node)]),
                                    z(gpu_slots[z((n + 1) * per_node)]));
    const int common = first_of(usual);
    node_.push_back({common, of_node(common, n)});
    for (int g = 0; g < d.groups; ++g) {
      if (!usual[z(g)]) node_cells_.push_back({g, n, of_node(g, n)});
    }
  }
}

double ReachTables::assigned(std::size_t first, std::size_t last,
                             std::span<const double> counts, double per_token) const {
  double sum = 0;
  for (std::size_t t = first; t < last; ++t)
    sum += counts[z(terms_[t].expert)] * terms_[t].share;
  return sum * per_token;
}

void ReachTables::fill_node(int group, int node, const Chance& chance,
                            DispatchDemand& out) const {
  const std::size_t per_node = z(out.ranks / out.nodes);
  const std::size_t row = z(group) * z(out.ranks) + z(node) * per_node;
  double amount = 0;
  double most = 0;
  double any = 0;  // union bound: a node is reached at most as often as its ranks are
  for (std::size_t i = row; i < row + per_node; ++i) {
    amount += out.assignments[i];
    any += out.reach_rank[i];
    most = std::max(most, out.reach_rank[i]);
  }
  out.reach_node[z(group) * z(out.nodes) + z(node)] =
      std::clamp(chance.at(amount), most, std::max(most, std::min({amount, any, 1.0})));
}

void ReachTables::fill(std::span<const double> counts, double per_token,
                       DispatchDemand& out) const {
  const std::size_t ranks = rank_.size();
  const std::size_t nodes = node_.size();
  const auto put = [&](std::size_t i, double amount, const Chance& chance) {
    out.assignments[i] = amount;
    out.reach_rank[i] = std::clamp(chance.at(amount), 0.0, std::min(amount, 1.0));
  };
  for (std::size_t r = 0; r < ranks; ++r) {
    put(r, assigned(rank_[r].first, rank_[r].last, counts, per_token), rank_[r].chance);
  }
  for (std::size_t g = 1; g < z(out.groups); ++g) {
    std::copy_n(out.assignments.begin(), ranks, &out.assignments[g * ranks]);
    std::copy_n(out.reach_rank.begin(), ranks, &out.reach_rank[g * ranks]);
  }
  for (const Cell& cell : cells_) {
    put(z(cell.group) * ranks + z(cell.place),
        assigned(cell.first, cell.last, counts, per_token), cell.chance);
  }
  for (std::size_t n = 0; n < nodes; ++n) {
    fill_node(node_[n].group, static_cast<int>(n), node_[n].chance, out);
    const double usual = out.reach_node[z(node_[n].group) * nodes + n];
    for (std::size_t g = 0; g < z(out.groups); ++g) out.reach_node[g * nodes + n] = usual;
  }
  for (const NodeCell& cell : node_cells_) fill_node(cell.group, cell.node, cell.chance, out);
}

}  // namespace moesim
