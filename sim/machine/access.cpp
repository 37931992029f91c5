#include "sim/machine/access.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

// Indices: s source rank, d destination rank, g group (row of shares), n domain, l lane;
// on a grid rank = n * lanes + l. What is summed over groups is the usual row times all weights
// plus what each cell departs from it. Sums of what a subset does not get are the whole less
// the subset, clamped at zero against rounding.

namespace moesim {
namespace {

double rest(double whole, double part) { return std::max(0.0, whole - part); }

std::size_t z(int i) { return static_cast<std::size_t>(i); }

}  // namespace

void AccessSums::weigh(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  const std::size_t lanes = z(t.ranks->lanes());
  const std::size_t groups = t.share->groups();
  weight_.assign(groups, 0.0);
  lane_weight_.assign(lanes * groups, 0.0);
  lane_all_.assign(lanes, 0.0);
  all_weight_ = 0;
  std::size_t s = 0;
  for (std::size_t n = 0; n < ranks / lanes; ++n) {
    for (std::size_t l = 0; l < lanes; ++l, ++s) {
      const std::size_t g = z(t.group[s]);
      weight_[g] += t.weight[s];
      lane_weight_[g * lanes + l] += t.weight[s];
      lane_all_[l] += t.weight[s];
      all_weight_ += t.weight[s];
    }
  }
  find_homes(t);
}

void AccessSums::find_homes(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  const std::size_t lanes = z(t.ranks->lanes());
  homes_.clear();
  home_of_.resize(ranks);
  for (std::size_t n = 0; n < ranks / lanes; ++n) {
    const std::size_t first = homes_.size();
    for (std::size_t s = n * lanes; s < (n + 1) * lanes; ++s) {
      const std::size_t g = z(t.group[s]);
      std::size_t home = homes_.size();
      while (home > first && homes_[home - 1].group != g) --home;
      if (home == first) {
        homes_.push_back({g, n, 0});
        home = homes_.size();
      }
      homes_[home - 1].weight += t.weight[s];
      home_of_[s] = home - 1;
    }
  }
}

void AccessSums::expand_homes(const Traffic& t) {
  const std::size_t lanes = z(t.ranks->lanes());
  home_share_.resize(homes_.size() * lanes);
  for (std::size_t h = 0; h < homes_.size(); ++h) {
    const std::span<double> share = std::span(home_share_).subspan(h * lanes, lanes);
    t.share->expand(homes_[h].group, homes_[h].domain * lanes, share);
    homes_[h].near = std::accumulate(share.begin(), share.end(), 0.0);
  }
}

// in_[d]: bytes from everywhere; near_in_[d]: from its own domain, itself included.
void AccessSums::arrivals(const Traffic& t) {
  const std::vector<double>& usual = t.share->usual;
  const std::size_t lanes = z(t.ranks->lanes());
  in_.resize(usual.size());
  double sum = 0;
  for (std::size_t d = 0; d < usual.size(); ++d) {
    in_[d] = all_weight_ * usual[d];
    sum += usual[d];
  }
  row_.assign(weight_.size(), sum);
  t.share->each_departure([&](std::size_t g, std::size_t d, double departure) {
    in_[d] += weight_[g] * departure;
    row_[g] += departure;
  });
  near_in_.assign(usual.size(), 0.0);
  for (std::size_t h = 0; h < homes_.size(); ++h) {
    double* near = &near_in_[homes_[h].domain * lanes];
    const double* share = &home_share_[h * lanes];
    for (std::size_t l = 0; l < lanes; ++l) near[l] += homes_[h].weight * share[l];
  }
}

void AccessSums::direct(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  const std::size_t lanes = z(t.ranks->lanes());
  expand_homes(t);
  arrivals(t);
  AccessLoads::Side& sources = source_side(t);
  AccessLoads::Side& experts = expert_side(t);
  for (std::size_t r = 0; r < ranks; ++r) {
    const Home& home = homes_[home_of_[r]];
    const double own = self(r, lanes);
    sources.local[r].put(t.weight[r] * rest(home.near, own), local_inverse_);
    experts.local[r].put(rest(near_in_[r], t.weight[r] * own), local_inverse_);
    sources.network[r].put(t.weight[r] * rest(row_[home.group], home.near), network_inverse_);
    experts.network[r].put(rest(in_[r], near_in_[r]), network_inverse_);
  }
  if (!t.ranks->forwards() || t.ranks->domains() == 1) return;
  meet_own_lane(t);
  t.direction == Direction::forward ? leave(t) : leave_backward(t);
  for (std::size_t r = 0; r < ranks; ++r) hand_over(r);
}

void AccessSums::relayed(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  AccessLoads::Side& sources = source_side(t);
  AccessLoads::Side& experts = expert_side(t);
  expand_homes(t);
  arrivals(t);
  landings(t);
  by_lane(t);
  for (Home& home : homes_) home.near = t.share_domain->at(home.group, home.domain);
  for (std::size_t r = 0; r < ranks; ++r) {
    const Home& home = homes_[home_of_[r]];
    const double own = home.near;
    sources.network[r].put(t.weight[r] * rest(row_[home.group], own), network_inverse_);
    experts.network[r].put(rest(landing_[r], t.weight[r] * own), network_inverse_);
    sources.local[r].put(rest(lane_to_domain_[r], lane_to_rank_[r]), local_inverse_);
    experts.local[r].put(rest(in_[r], lane_to_rank_[r]), local_inverse_);
  }
}

void AccessSums::padded(const Traffic& t) {
  const double lanes = t.ranks->lanes();
  const double domains = t.ranks->domains();
  const double each = t.padded_pair.value;
  const bool forwards = t.ranks->forwards() && domains > 1;
  const double handed = forwards ? (lanes - 1) * (domains - 1) * each : 0;
  for (std::size_t r = 0; r < z(t.ranks->ranks()); ++r) {
    for (AccessLoads::Side* side : {&loads_.out, &loads_.in}) {
      side->local[r].put((lanes - 1) * each, local_inverse_);
      side->local[r].put(handed, network_inverse_);
      side->network[r].put(lanes * (domains - 1) * each, network_inverse_);
      side->network[r].handed = handed * network_inverse_;
    }
  }
}

AccessLoads::Side& AccessSums::source_side(const Traffic& t) {
  return t.direction == Direction::forward ? loads_.out : loads_.in;
}

AccessLoads::Side& AccessSums::expert_side(const Traffic& t) {
  return t.direction == Direction::forward ? loads_.in : loads_.out;
}

void AccessSums::balance() {
  double local_out = 0, local_in = 0, network_out = 0, network_in = 0;
  for (std::size_t r = 0; r < loads_.out.local.size(); ++r) {
    local_out += loads_.out.local[r].bytes;
    local_in += loads_.in.local[r].bytes;
    network_out += loads_.out.network[r].bytes;
    network_in += loads_.in.network[r].bytes;
  }
  MOESIM_LAW(std::abs(local_out - local_in) <= 1e-9 * (local_out + local_in + network_out),
             "bytes sent inside domains = bytes received inside domains");
  MOESIM_LAW(
      std::abs(network_out - network_in) <= 1e-9 * (local_out + network_out + network_in),
      "bytes sent into the network = bytes received from it");
  loads_.least = 1e-12 * (local_out + network_out);
  loads_.any_local = local_out > loads_.least;
}

const AccessLoads& AccessSums::sum(const Traffic& traffic) {
  const std::size_t ranks = z(traffic.ranks->ranks());
  local_inverse_ = 1 / traffic.local_efficiency;
  network_inverse_ = 1 / traffic.network_efficiency;
  for (AccessLoads::Side* side : {&loads_.out, &loads_.in}) {
    side->local.assign(ranks, {});
    side->network.assign(ranks, {});
  }
  if (traffic.padded_pair.value > 0) {
    padded(traffic);
  } else {
    weigh(traffic);
    traffic.relayed() ? relayed(traffic) : direct(traffic);
  }
  balance();
  return loads_;
}

}  // namespace moesim
