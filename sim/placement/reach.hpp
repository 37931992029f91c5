// From tokens to what the network sees: how many of a token's experts are on each GPU, and how
// likely at least one is, per group of sources. Computed exactly from a token sample once per
// layer and epoch, then moved to each step's counts at a cost of a few microseconds.
#pragma once

#include <span>
#include <vector>

#include "sim/machine/demand.hpp"
#include "sim/placement/dispatch.hpp"
#include "sim/placement/problem.hpp"
#include "sim/placement/reach_tables.hpp"

namespace moesim {

class Reach {
 public:
  // `samples` [layers], not empty. The placement must outlive this.
  //
  // With P(g, e, r) the policy's share of expert e's tokens from group g that go to rank r, and
  // E_t the experts of token t:
  //   assignments(g, r) = mean over t of sum over e in E_t of P(g, e, r)
  //   reach(g, r)       = mean over t of 1 - prod over e in E_t of (1 - P(g, e, r))
  // and reach_node alike with P summed over the ranks of a node.
  Reach(const Placement& placement, DispatchPolicy& policy, std::span<const TokenView> samples);

  // The shares as sampled; `tokens` is left empty.
  [[nodiscard]] const DispatchDemand& sampled(int layer) const { return demand_[at(layer)]; }

  // Fills the shares of `out` that are asked for, and empties the others, for a step in which
  // the experts of the layer took `counts` [experts] tokens. Assignments are exact for these
  // counts; the probabilities follow the change x of the assignments to first order, 1 - (1 -
  // p)^x with d/dx at 1, and stay within [0, min(1, assignments)]. out.tokens is left as it is.
  void rescale(int layer, std::span<const double> counts, DemandShares asked,
               DispatchDemand& out) const;

  // Mean over tokens and sources of the number of nodes, GPUs a token reaches.
  [[nodiscard]] double nodes_per_token(int layer) const;
  [[nodiscard]] double ranks_per_token(int layer) const;

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] SampledShares sample_layer(int layer, const DispatchPolicy& policy,
                                           const TokenView& sample,
                                           std::span<const double> shares) const;
  void sample_group(int layer, int group, const TokenView& sample,
                    std::span<const double> shares, SampledShares& d) const;
  void check(const SampledShares& d) const;

  const Placement* placement_;
  int top_k_;
  std::vector<DispatchDemand> demand_;  // [layers]
  std::vector<ReachTables> tables_;     // [layers]
};

}  // namespace moesim
