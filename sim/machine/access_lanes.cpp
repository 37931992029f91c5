// Sums by lane: what leaves a domain by the NIC of another lane, what lands there relayed.
#include <algorithm>
#include <utility>

#include "sim/machine/access.hpp"

// Indices as in access.cpp.

namespace moesim {
namespace {

double rest(double whole, double part) { return std::max(0.0, whole - part); }

std::size_t z(int i) { return static_cast<std::size_t>(i); }

}  // namespace

// lane_share_[groups * lanes]: of one token, to all ranks of the lane.
void AccessSums::lane_shares(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  const std::size_t lanes = z(t.ranks->lanes());
  lane_share_.assign(lanes, 0.0);
  for (std::size_t d = 0; d < ranks; d += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) lane_share_[l] += t.share->usual[d + l];
  }
  lane_share_.resize(lanes * weight_.size());
  for (std::size_t i = lanes; i < lane_share_.size(); ++i)
    lane_share_[i] = lane_share_[i - lanes];
  t.share->each_departure([&](std::size_t g, std::size_t d, double departure) {
    lane_share_[g * lanes + d % lanes] += departure;
  });
}

// By the same rail in both domains, so that no other GPU's NIC is crossed.
void AccessSums::meet_own_lane(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  const std::size_t lanes = z(t.ranks->lanes());
  lane_shares(t);
  by_lane(t);
  own_.resize(ranks);
  for (std::size_t r = 0; r < ranks; ++r) {
    const double to_lane = lane_share_[homes_[home_of_[r]].group * lanes + r % lanes];
    const double own = self(r, lanes);
    own_[r] = {t.weight[r] * rest(to_lane, own), rest(lane_to_rank_[r], t.weight[r] * own)};
    if (t.direction == Direction::backward) std::swap(own_[r].sent, own_[r].got);
  }
}

// Data for lane l leaves its domain by the NIC of lane l.
void AccessSums::leave(const Traffic& t) {
  const std::size_t lanes = z(t.ranks->lanes());
  leaving_.assign(home_of_.size(), 0.0);
  for (std::size_t h = 0; h < homes_.size(); ++h) {
    const double* share = &home_share_[h * lanes];
    const double* to_lane = &lane_share_[homes_[h].group * lanes];
    double* all = &leaving_[homes_[h].domain * lanes];
    for (std::size_t l = 0; l < lanes; ++l) {
      all[l] += homes_[h].weight * rest(to_lane[l], share[l]);
    }
  }
}

// From the tokens of a rank's lane: to all ranks of its domain, and to the rank.
void AccessSums::by_lane(const Traffic& t) {
  const std::size_t ranks = z(t.ranks->ranks());
  const std::size_t lanes = z(t.ranks->lanes());
  const std::vector<double>& usual = t.share->usual;
  lane_to_domain_.resize(ranks);
  lane_to_rank_.resize(ranks);
  for (std::size_t first = 0; first < ranks; first += lanes) {
    double of_domain = 0;
    for (std::size_t l = 0; l < lanes; ++l) of_domain += usual[first + l];
    for (std::size_t l = 0; l < lanes; ++l) {
      lane_to_domain_[first + l] = lane_all_[l] * of_domain;
      lane_to_rank_[first + l] = lane_all_[l] * usual[first + l];
    }
  }
  const std::vector<ShareRows::Cell>& cells = t.share->cells;
  for (std::size_t c = 0; c < cells.size();) {  // those of one group and domain at once
    const int group = cells[c].group;
    const double* lane = &lane_weight_[z(group) * lanes];
    const std::size_t first = z(cells[c].place) / lanes * lanes;
    double of_domain = 0;
    for (; c < cells.size() && cells[c].group == group && z(cells[c].place) < first + lanes;
         ++c) {
      const std::size_t d = z(cells[c].place);
      const double departure = cells[c].value - usual[d];
      lane_to_rank_[d] += lane[d - first] * departure;
      of_domain += departure;
    }
    double* to_domain = &lane_to_domain_[first];
    for (std::size_t l = 0; l < lanes; ++l) to_domain[l] += lane[l] * of_domain;
  }
}

// The same where every d sends to every s.
void AccessSums::leave_backward(const Traffic& t) {
  leaving_.resize(home_of_.size());
  for (std::size_t r = 0; r < leaving_.size(); ++r) {
    leaving_[r] = rest(lane_to_domain_[r], t.weight[r] * homes_[home_of_[r]].near);
  }
}

// What leaves by a NIC that is not its sender's crosses the NVSwitch first.
void AccessSums::hand_over(std::size_t r) {
  AccessLoads::Load& out = loads_.out.network[r];
  AccessLoads::Load& in = loads_.in.network[r];
  const double handed = rest(leaving_[r], own_[r].sent);
  loads_.out.local[r].put(rest(out.bytes, own_[r].sent), network_inverse_);
  loads_.in.local[r].put(handed, network_inverse_);
  out = {leaving_[r], leaving_[r] * network_inverse_, handed * network_inverse_};
  in.handed = rest(in.bytes, own_[r].got) * network_inverse_;
}

// landing_[d]: what crosses the network once per domain, from the lane of d to its domain; row_
// [groups]: of one token.
void AccessSums::landings(const Traffic& t) {
  const std::size_t lanes = z(t.ranks->lanes());
  const std::vector<double>& usual = t.share_domain->usual;
  landing_.resize(usual.size() * lanes);
  double sum = 0;
  for (std::size_t n = 0; n < usual.size(); ++n) {
    sum += usual[n];
    for (std::size_t l = 0; l < lanes; ++l) landing_[n * lanes + l] = lane_all_[l] * usual[n];
  }
  row_.assign(weight_.size(), sum);
  t.share_domain->each_departure([&](std::size_t g, std::size_t n, double departure) {
    row_[g] += departure;
    const double* lane = &lane_weight_[g * lanes];
    double* landing = &landing_[n * lanes];
    for (std::size_t l = 0; l < lanes; ++l) landing[l] += lane[l] * departure;
  });
}

}  // namespace moesim
