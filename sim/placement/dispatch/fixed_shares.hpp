// The base of policies whose shares do not depend on the step's counts: load = count x share.
#pragma once

#include <vector>

#include "sim/placement/dispatch.hpp"

namespace moesim::dispatch {

// Whether tokens choose a replica each for itself, so that a replica may stay idle by chance
// (P = (1 - share)^count), or take turns (idle only below one token).
enum class Choice { by_chance, in_turn };

class FixedShares : public DispatchPolicy {
 public:
  // `shares` [layer][groups * layer slots]; `group_of_gpu` [gpus].
  FixedShares(const Placement& placement, std::vector<std::vector<double>> shares,
              std::vector<int> group_of_gpu, Choice choice);

  [[nodiscard]] int groups() const override { return groups_; }
  [[nodiscard]] std::vector<int> group_of_gpu() const override { return group_of_gpu_; }
  void split(int layer, std::span<const double> counts, LayerLoad& out) override;
  void shares(int layer, std::span<const double> counts, std::vector<double>& out) override;
  void set_sources(std::span<const double> tokens) override;

 protected:
  [[nodiscard]] const Placement& placement() const { return *placement_; }
  // New shares [groups * layer slots] of a layer, in force from the next split() on.
  void set_shares(int layer, std::vector<double> shares);

 private:
  void mix(int layer);

  const Placement* placement_;
  std::vector<std::vector<double>> shares_;
  std::vector<int> group_of_gpu_;
  int groups_;
  Choice choice_;
  std::vector<double> weight_;     // [groups] of all tokens, the part a group sends
  std::vector<double> mixed_;      // [all slots] share over all sources
  std::vector<double> log_other_;  // [all slots] ln(1 - mixed), -inf for an only replica
};

// [layer][layer slots] 1 / replicas of the slot's expert.
std::vector<std::vector<double>> even_shares(const Placement& placement);

}  // namespace moesim::dispatch
