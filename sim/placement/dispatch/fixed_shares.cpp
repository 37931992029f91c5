#include "sim/placement/dispatch/fixed_shares.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

// Expected activity of a replica that gets `load` of `count` tokens.
double activity(Choice choice, double load, double count, double log_other) {
  if (load >= 24 || count <= 0) return count > 0 ? 1.0 : 0.0;
  if (choice == Choice::in_turn) return std::min(1.0, load);
  return -std::expm1(count * log_other);
}

}  // namespace

FixedShares::FixedShares(const Placement& placement, std::vector<std::vector<double>> shares,
                         std::vector<int> group_of_gpu, Choice choice)
    : placement_(&placement),
      shares_(std::move(shares)),
      group_of_gpu_(std::move(group_of_gpu)),
      groups_(1 + *std::ranges::max_element(group_of_gpu_)),
      choice_(choice) {
  set_sources(std::vector<double>(group_of_gpu_.size(), 1.0));
}

void FixedShares::set_sources(std::span<const double> tokens) {
  MOESIM_LAW(tokens.size() == group_of_gpu_.size(), "every source GPU sends some tokens");
  std::vector<double> weight(z(groups_), 0.0);
  double total = 0;
  for (std::size_t g = 0; g < tokens.size(); ++g) {
    weight[z(group_of_gpu_[g])] += tokens[g];
    total += tokens[g];
  }
  if (total <= 0) return;  // nothing is sent: nothing to split
  for (double& w : weight) w /= total;
  mix(weight);
}

void FixedShares::mix(std::span<const double> group_weight) {
  mixed_.assign(placement_->physical_to_logical.size(), 0.0);
  for (int l = 0; l < placement_->layers; ++l) {
    double* mixed = &mixed_[z(placement_->layer_begin[z(l)])];
    const std::size_t slots = z(placement_->layer_slots(l));
    for (std::size_t group = 0; group < group_weight.size(); ++group) {
      const double* row = &shares_[z(l)][group * slots];
      for (std::size_t s = 0; s < slots; ++s) mixed[s] += group_weight[group] * row[s];
    }
  }
  log_other_.clear();
  for (double& m : mixed_) {
    if (m > 1 - 1e-12) m = 1;  // an only replica, after rounding
    log_other_.push_back(std::log1p(-m));
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
