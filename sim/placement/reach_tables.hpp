// One layer's shares and chances, kept so that a step's counts turn into a DispatchDemand in
// time linear in GPUs: sources differ only in how they use the replicas near them, so every GPU
// has a usual row and cells for the groups that depart from it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/machine/demand.hpp"

namespace moesim {

class ReachTables {
 public:
  // `sampled`: the layer's assignments and chances in the token sample. `shares` [groups *
  // slots]: of an expert's tokens from a group, the part that goes to each slot. `slot_experts`
  // [slots], `gpu_slots` [ranks + 1]: the first slot of each GPU.
  ReachTables(const DispatchDemand& sampled, std::span<const double> shares,
              std::span<const int> slot_experts, std::span<const int> gpu_slots);

  // Fills the shares of `out`, of the size of the sample's, for the tokens per expert `counts`;
  // per_token = top_k / sum of counts. Errors: what Reach::rescale states.
  void fill(std::span<const double> counts, double per_token, DispatchDemand& out) const;

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
  };
  struct Term {
    int expert;
    double share;
  };
  struct Cell {
    int group;
    int place;  // rank
    Chance chance;
    std::size_t first, last;  // of terms_
  };
  struct NodeCell {
    int group;
    int node;
    Chance chance;
  };
  struct Usual {
    int group;  // one that does the usual
    Chance chance;
    std::size_t first = 0, last = 0;  // of terms_
  };

  static Chance chance(double assignments, double probability);
  [[nodiscard]] double assigned(std::size_t first, std::size_t last,
                                std::span<const double> counts, double per_token) const;
  void add_terms(std::span<const double> shares, std::span<const int> experts);
  void fill_node(int group, int node, const Chance& chance, DispatchDemand& out) const;

  std::vector<Term> terms_;
  std::vector<Usual> rank_;  // [ranks]
  std::vector<Cell> cells_;
  std::vector<Usual> node_;  // [nodes]
  std::vector<NodeCell> node_cells_;
};

}  // namespace moesim
