#include "sim/machine/access.hpp"

#include <algorithm>
#include <cmath>

// Indices: s source rank, d destination rank, g group (row of shares), n domain, l lane;
// on a grid rank = n * lanes + l. Sums of what a subset does not get are the whole less the
// subset, clamped at zero against rounding.

namespace moesim {
namespace {

double rest(double whole, double part) { return std::max(0.0, whole - part); }

void put(AccessLoads::Load& load, double bytes, double efficiency) {
  load.bytes += bytes;
  load.work += bytes / efficiency;
}

}  // namespace

void AccessSums::weigh(const Traffic& t) {
  const auto ranks = static_cast<std::size_t>(t.ranks->ranks());
  const auto lanes = static_cast<std::size_t>(t.ranks->lanes());
  const auto domains = static_cast<std::size_t>(t.ranks->domains());
  const std::size_t groups = t.share.size() / ranks;
  weight_.assign(groups, 0.0);
  row_.assign(groups, 0.0);
  domain_weight_.assign(domains * groups, 0.0);
  lane_weight_.assign(lanes * groups, 0.0);
  domain_share_.assign(groups * domains, 0.0);
  lane_share_.assign(groups * lanes, 0.0);
  for (std::size_t s = 0; s < ranks; ++s) {
    const auto g = static_cast<std::size_t>(t.group[s]);
    weight_[g] += t.weight[s];
    domain_weight_[g * domains + s / lanes] += t.weight[s];
    lane_weight_[g * lanes + s % lanes] += t.weight[s];
  }
  for (std::size_t g = 0; g < groups; ++g) {
    const double* share = t.share.data() + g * ranks;
    for (std::size_t n = 0; n < domains; ++n) {
      double sum = 0;
      for (std::size_t l = 0; l < lanes; ++l) {
        sum += share[n * lanes + l];
        lane_share_[g * lanes + l] += share[n * lanes + l];
      }
      domain_share_[g * domains + n] = sum;
      row_[g] += sum;
    }
  }
  in_.assign(ranks, 0.0);
  near_in_.assign(ranks, 0.0);
}

// in_[d]: bytes from everywhere; near_in_[d]: from its own domain, itself included.
void AccessSums::arrivals(const Traffic& t) {
  const auto ranks = static_cast<std::size_t>(t.ranks->ranks());
  const auto lanes = static_cast<std::size_t>(t.ranks->lanes());
  const auto domains = static_cast<std::size_t>(t.ranks->domains());
  const std::size_t groups = weight_.size();
  for (std::size_t g = 0; g < groups; ++g) {
    const double* share = t.share.data() + g * ranks;
    for (std::size_t d = 0; d < ranks; ++d) in_[d] += weight_[g] * share[d];
    for (std::size_t n = 0; n < domains; ++n) {
      const double w = domain_weight_[g * domains + n];
      if (w == 0) continue;
      for (std::size_t d = n * lanes; d < (n + 1) * lanes; ++d) near_in_[d] += w * share[d];
    }
  }
}

void AccessSums::direct(const Traffic& t) {
  const auto ranks = static_cast<std::size_t>(t.ranks->ranks());
  const auto lanes = static_cast<std::size_t>(t.ranks->lanes());
  const auto domains = static_cast<std::size_t>(t.ranks->domains());
  arrivals(t);
  AccessLoads::Side& sources = source_side(t);
  AccessLoads::Side& experts = expert_side(t);
  for (std::size_t r = 0; r < ranks; ++r) {
    const auto g = static_cast<std::size_t>(t.group[r]);
    const double near = domain_share_[g * domains + r / lanes];
    const double self = t.share[g * ranks + r];
    put(sources.local[r], t.weight[r] * rest(near, self), t.local_efficiency);
    put(experts.local[r], rest(near_in_[r], t.weight[r] * self), t.local_efficiency);
    put(sources.network[r], t.weight[r] * rest(row_[g], near), t.network_efficiency);
    put(experts.network[r], rest(in_[r], near_in_[r]), t.network_efficiency);
  }
  if (!t.ranks->forwards() || domains == 1) return;
  leaving_.assign(ranks, {});
  t.direction == Direction::forward ? leave(t) : leave_backward(t);
  for (std::size_t r = 0; r < ranks; ++r) hand_over(t, r, leaving_[r]);
}

// Data for lane l leaves its domain by the NIC of lane l.
void AccessSums::leave(const Traffic& t) {
  const auto ranks = static_cast<std::size_t>(t.ranks->ranks());
  const auto lanes = static_cast<std::size_t>(t.ranks->lanes());
  const auto domains = static_cast<std::size_t>(t.ranks->domains());
  for (std::size_t g = 0; g < weight_.size(); ++g) {
    const double* share = t.share.data() + g * ranks;
    const double* lane_share = lane_share_.data() + g * lanes;
    for (std::size_t n = 0; n < domains; ++n) {
      const double w = domain_weight_[g * domains + n];
      if (w == 0) continue;
      for (std::size_t l = 0; l < lanes; ++l) {
        leaving_[n * lanes + l].all += w * rest(lane_share[l], share[n * lanes + l]);
      }
    }
  }
  for (std::size_t r = 0; r < ranks; ++r) {
    const auto g = static_cast<std::size_t>(t.group[r]);
    leaving_[r].own =
        t.weight[r] * rest(lane_share_[g * lanes + r % lanes], t.share[g * ranks + r]);
  }
}

// The same where every d sends to every s.
void AccessSums::leave_backward(const Traffic& t) {
  const auto ranks = static_cast<std::size_t>(t.ranks->ranks());
  const auto lanes = static_cast<std::size_t>(t.ranks->lanes());
  const auto domains = static_cast<std::size_t>(t.ranks->domains());
  for (std::size_t g = 0; g < weight_.size(); ++g) {
    const double* share = t.share.data() + g * ranks;
    const double* lane = lane_weight_.data() + g * lanes;
    for (std::size_t n = 0; n < domains; ++n) {
      const double of_domain = domain_share_[g * domains + n];
      for (std::size_t l = 0; l < lanes; ++l) {
        leaving_[n * lanes + l].all += lane[l] * of_domain;
        leaving_[n * lanes + l].own += lane[l] * share[n * lanes + l];
      }
    }
  }
  for (std::size_t r = 0; r < ranks; ++r) {
    const auto g = static_cast<std::size_t>(t.group[r]);
    Leaving& leaving = leaving_[r];
    leaving.all = rest(leaving.all, t.weight[r] * domain_share_[g * domains + r / lanes]);
    leaving.own = rest(leaving.own, t.weight[r] * t.share[g * ranks + r]);
  }
}

// What leaves by a NIC that is not its sender's crosses the NVSwitch first.
void AccessSums::hand_over(const Traffic& t, std::size_t r, Leaving leaving) {
  AccessLoads::Load& nic = loads_.out.network[r];
  put(loads_.out.local[r], rest(nic.bytes, leaving.own), t.network_efficiency);
  put(loads_.in.local[r], rest(leaving.all, leaving.own), t.network_efficiency);
  nic = {leaving.all, leaving.all / t.network_efficiency};
}

void AccessSums::relayed(const Traffic& t) {
  const auto ranks = static_cast<std::size_t>(t.ranks->ranks());
  const auto lanes = static_cast<std::size_t>(t.ranks->lanes());
  const auto domains = static_cast<std::size_t>(t.ranks->domains());
  const std::size_t groups = weight_.size();
  AccessLoads::Side& sources = source_side(t);
  AccessLoads::Side& experts = expert_side(t);
  for (std::size_t g = 0; g < groups; ++g) {
    row_[g] = 0;
    for (std::size_t n = 0; n < domains; ++n) row_[g] += t.share_domain[g * domains + n];
  }
  relays_.assign(ranks, {});
  for (std::size_t g = 0; g < groups; ++g) {
    const double* share = t.share.data() + g * ranks;
    const double* lane = lane_weight_.data() + g * lanes;
    for (std::size_t n = 0; n < domains; ++n) {
      const double to_domain = t.share_domain[g * domains + n];
      const double of_domain = domain_share_[g * domains + n];
      for (std::size_t l = 0; l < lanes; ++l) {
        Relay& relay = relays_[n * lanes + l];
        relay.landing += lane[l] * to_domain;
        relay.handing += lane[l] * rest(of_domain, share[n * lanes + l]);
        relay.getting += rest(weight_[g], lane[l]) * share[n * lanes + l];
      }
    }
  }
  for (std::size_t r = 0; r < ranks; ++r) {
    const auto g = static_cast<std::size_t>(t.group[r]);
    const double own = t.share_domain[g * domains + r / lanes];
    put(sources.network[r], t.weight[r] * rest(row_[g], own), t.network_efficiency);
    put(experts.network[r], rest(relays_[r].landing, t.weight[r] * own), t.network_efficiency);
    put(sources.local[r], relays_[r].handing, t.local_efficiency);
    put(experts.local[r], relays_[r].getting, t.local_efficiency);
  }
}

void AccessSums::padded(const Traffic& t) {
  const double lanes = t.ranks->lanes();
  const double domains = t.ranks->domains();
  const double each = t.padded_pair.value;
  const bool forwards = t.ranks->forwards() && domains > 1;
  const double handed = forwards ? (lanes - 1) * (domains - 1) * each : 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(t.ranks->ranks()); ++r) {
    for (AccessLoads::Side* side : {&loads_.out, &loads_.in}) {
      put(side->local[r], (lanes - 1) * each, t.local_efficiency);
      put(side->local[r], handed, t.network_efficiency);
      put(side->network[r], lanes * (domains - 1) * each, t.network_efficiency);
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
  // Rounding residues are not traffic.
  const double least = 1e-12 * (local_out + network_out);
  loads_.any_local = local_out > least;
  loads_.any_network = network_out > least;
}

const AccessLoads& AccessSums::sum(const Traffic& traffic) {
  const auto ranks = static_cast<std::size_t>(traffic.ranks->ranks());
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
