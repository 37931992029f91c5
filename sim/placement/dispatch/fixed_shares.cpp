#include "sim/placement/dispatch/fixed_shares.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// 1 - e^x for x <= 0, to single precision: a chance, not a sum of many.
double chance(float x) {
  if (x > -0.03F) return -x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4)));
  return 1 - std::exp(x);
}

// Expected activity of a replica that gets `load` of `count` tokens.
double activity(Choice choice, double load, double count, double log_other) {
  if (load >= 24 || count <= 0) return count > 0 ? 1.0 : 0.0;
  if (choice == Choice::in_turn) return std::min(1.0, load);
  return chance(static_cast<float>(count * log_other));
}

}  // namespace

FixedShares::FixedShares(const Placement& placement, std::vector<std::vector<double>> shares,
                         std::vector<int> group_of_gpu, Choice choice)
    : placement_(&placement),
      shares_(std::move(shares)),
      group_of_gpu_(std::move(group_of_gpu)),
      groups_(1 + *std::ranges::max_element(group_of_gpu_)),
      choice_(choice),
      mixed_(placement.physical_to_logical.size()),
      log_other_(mixed_.size()) {
  set_sources(std::vector<double>(group_of_gpu_.size(), 1.0));
}

void FixedShares::set_sources(std::span<const double> tokens) {
  MOESIM_LAW(tokens.size() == group_of_gpu_.size(), "every source GPU sends some tokens");
  const double total = std::accumulate(tokens.begin(), tokens.end(), 0.0);
  if (total <= 0) return;  // nothing is sent: nothing to split
  weight_.assign(z(groups_), 0.0);
  for (std::size_t g = 0; g < tokens.size(); ++g) {
    weight_[z(group_of_gpu_[g])] += tokens[g] / total;
  }
  for (int l = 0; l < placement_->layers; ++l) mix(l);
}

void FixedShares::set_shares(int layer, std::vector<double> shares) {
  MOESIM_LAW(shares.size() == shares_[z(layer)].size(), "every slot has a share");
  shares_[z(layer)] = std::move(shares);
  mix(layer);
}

void FixedShares::mix(int layer) {
  const std::size_t first = z(placement_->layer_begin[z(layer)]);
  const std::size_t slots = z(placement_->layer_slots(layer));
  for (std::size_t s = 0; s < slots; ++s) {
    double mixed = 0;
    for (std::size_t group = 0; group < weight_.size(); ++group) {
      mixed += weight_[group] * shares_[z(layer)][group * slots + s];
    }
    if (mixed > 1 - 1e-12) mixed = 1;  // an only replica, after rounding
    mixed_[first + s] = mixed;
    log_other_[first + s] = std::log1p(-mixed);
  }
}

void FixedShares::split(int layer, std::span<const double> counts, LayerLoad& out) {
  const auto experts = placement_->slot_experts(layer);
  const auto begin = placement_->gpu_slots(layer);
  const std::size_t first = z(placement_->layer_begin[z(layer)]);
  const double* mixed = &mixed_[first];
  const double* log_other = &log_other_[first];
  const std::size_t gpus = z(placement_->gpus);
  out.slot.resize(experts.size());
  out.gpu.resize(gpus);
  out.active.resize(gpus);
  out.hottest.resize(gpus);
  out.received.assign(gpus, 0.0);
  for (std::size_t g = 0; g < gpus; ++g) {
    double load = 0;
    double active = 0;
    double hottest = 0;
    for (std::size_t s = z(begin[g]); s < z(begin[g + 1]); ++s) {
      const double count = counts[z(experts[s])];
      const double tokens = count * mixed[s];
      out.slot[s] = tokens;
      load += tokens;
      active += activity(choice_, tokens, count, log_other[s]);
      hottest = std::max(hottest, tokens);
    }
    out.gpu[g] = load;
    out.active[g] = active;
    out.hottest[g] = hottest;
  }
}

void FixedShares::shares(int layer, std::span<const double>, std::vector<double>& out) {
  out = shares_[z(layer)];
}

std::vector<std::vector<double>> even_shares(const Placement& placement) {
  std::vector<std::vector<double>> shares;
  for (int l = 0; l < placement.layers; ++l) {
    std::vector<double> row;
    for (const int e : placement.slot_experts(l)) {
      row.push_back(1.0 / static_cast<double>(placement.replicas(l, e).size()));
    }
    shares.push_back(std::move(row));
  }
  return shares;
}

}  // namespace moesim::dispatch
