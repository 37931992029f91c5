// Dispatch policies by name: which replica of an expert its tokens use.
//
// A policy is made once per placement and then asked in every simulated step, layer by layer;
// split() does not allocate once its output has its size.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "sim/base/registry.hpp"
#include "sim/placement/placement.hpp"
#include "sim/placement/problem.hpp"

namespace moesim {

// What one layer of one step asks of each GPU. Reused from call to call.
struct LayerLoad {
  std::vector<double> slot{};     // [layer slots] tokens
  std::vector<double> gpu{};      // [gpus] tokens
  std::vector<double> active{};   // [gpus] expected number of experts with at least one token
  std::vector<double> hottest{};  // [gpus] tokens of its most loaded expert
  std::vector<double>
      received{};  // [gpus] experts whose weights it fetched for this step: spill
};

struct DispatchSettings {
  std::vector<double> gpu_speed{};  // [gpus] relative; empty: all alike
  double spill_above = 1.2;         // spill: GPUs above this times the mean give tokens away
};

struct SlotShare {
  int slot = 0;
  double share = 0;
};

class DispatchPolicy {
 public:
  virtual ~DispatchPolicy() = default;

  // Sources that use the same replicas share a group; rows of shares().
  [[nodiscard]] virtual int groups() const = 0;
  // [gpus] the group of each source GPU.
  [[nodiscard]] virtual std::vector<int> group_of_gpu() const = 0;

  // `counts` [experts] tokens that take each expert in this layer and step.
  // Law: GPU loads add up to the counts.
  virtual void split(int layer, std::span<const double> counts, LayerLoad& out) = 0;

  // [groups * layer slots] of an expert's tokens from a source group, the share that each of
  // its slots receives; adds up to 1 over the slots of an expert, in each group.
  virtual void shares(int layer, std::span<const double> counts, std::vector<double>& out) = 0;

  // A sample of the tokens to come, per epoch: policies that look at a token's other experts
  // take their mean shares from it (until then they split evenly).
  virtual void learn(int layer, const TokenView& sample);
  // True if the shares of one token differ from the mean: then token_shares() tells them.
  [[nodiscard]] virtual bool looks_at_tokens() const { return false; }
  // Of one token with these experts: shares per slot; 1 in sum over the slots of each expert.
  virtual void token_shares(int layer, std::span<const std::uint16_t> experts,
                            std::vector<SlotShare>& out) const;

  // [gpus] tokens that each source GPU sends, where they differ; policies that look at the
  // source use them from the next split() on.
  virtual void set_sources(std::span<const double> tokens);
};

// The placement must outlive the policy.
using MakeDispatch = std::unique_ptr<DispatchPolicy> (*)(const Placement&,
                                                         const DispatchSettings&);

std::span<const Entry<MakeDispatch>> dispatch_policies();

// Throws InputError for an unknown name.
std::unique_ptr<DispatchPolicy> make_dispatch(std::string_view name, const Placement& placement,
                                              const DispatchSettings& settings = {});

}  // namespace moesim
