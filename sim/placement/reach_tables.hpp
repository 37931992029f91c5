// One layer's shares and chances, kept so that a step's counts turn into a DispatchDemand in
// time linear in GPUs: sources differ only in how they use the replicas near them, so every GPU
// has a usual row and cells for the groups that depart from it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/machine/demand.hpp"

namespace moesim {

// A layer's shares in the token sample, whole.
struct SampledShares {
  int groups = 0;
  int ranks = 0;
  int nodes = 0;
  std::vector<double> assignments{};  // [groups * ranks]
  std::vector<double> reach_rank{};   // [groups * ranks]
  std::vector<double> reach_node{};   // [groups * nodes]
};

class ReachTables {
 public:
  // `shares` [groups * slots]: of an expert's tokens from a group, the part that goes to each
  // slot. `slot_experts` [slots], `gpu_slots` [ranks + 1]: the first slot of each GPU.
  ReachTables(const SampledShares& sampled, std::span<const double> shares,
              std::span<const int> slot_experts, std::span<const int> gpu_slots);

  // Fills what is asked of `out`'s shares, and empties the rest, for the tokens per expert
  // `counts`; per_token = top_k / sum of counts. Errors: what Reach::rescale states.
  void fill(std::span<const double> counts, double per_token, DemandShares asked,
            DispatchDemand& out) const;

 private:
  // A chance p follows the change x of its assignments from the sample: 1 - (1 - p)^x to first
  // order around x = 1.
  struct Chance {
    double inverse = 0;  // 1 / assignments in the sample
    double at_sample = 0;
    double slope = 0;  // d chance / dx
    [[nodiscard]] double at(double assignments) const {
      return at_sample + (assignments * inverse - 1) * slope;
    }
    // Of a rank: at most once per assignment and token.
    [[nodiscard]] double of_rank(double assignments) const;
  };
  struct Term {
    int expert;
    double share;
  };
  using Range = std::pair<std::uint32_t, std::uint32_t>;  // [first, second)
  struct Cell {
    int group;
    int place;
    Range range;  // of a rank: terms_; of a node: the group's cells_ there
  };
  // A node as its ranks are usually reached.
  struct UsualNode {
    double amount = 0;
    double any = 0;  // union bound: a node is reached at most as often as its ranks are
    double most = 0;
  };

  static Chance chance(double assignments, double probability);
  void add_ranks(const SampledShares& sampled, std::span<const double> shares,
                 std::span<const int> slot_experts, std::span<const int> gpu_slots);
  void add_nodes(const SampledShares& sampled, std::span<const double> shares,
                 std::size_t slots, std::span<const int> gpu_slots);
  [[nodiscard]] Range cells_in(int group, int from, int to) const;
  [[nodiscard]] Range add_terms(std::span<const double> shares, std::span<const int> experts);
  [[nodiscard]] double assigned(Range range, std::span<const double> counts) const;
  void fill_ranks(DispatchDemand& out) const;
  void fill_nodes(DispatchDemand& out) const;
  [[nodiscard]] double node_chance(const DispatchDemand& out, const UsualNode& usual,
                                   const Cell& cell, const Chance& chance) const;

  int per_node_ = 1;  // ranks
  std::vector<Term> terms_;
  std::vector<Range> usual_terms_;          // [ranks]
  std::vector<Chance> usual_chances_;       // [ranks]
  std::vector<Cell> cells_;                 // by group, then rank
  std::vector<Chance> chances_;             // [cells]
  std::vector<std::size_t> first_;          // [groups + 1] of cells_
  std::vector<Cell> usual_nodes_;           // [nodes] of a group that does the usual
  std::vector<Chance> usual_node_chances_;  // [nodes]
  std::vector<Cell> node_cells_;            // by group, then node
  std::vector<Chance> node_chances_;        // [node cells]
  std::vector<std::size_t> node_first_;     // [groups + 1] of node_cells_
};

}  // namespace moesim
