#include "sim/machine/rank_group.hpp"

#include <algorithm>
#include <map>

namespace moesim {

RankGroup::RankGroup(const Cluster& cluster, std::vector<GpuId> gpus)
    : cluster_(&cluster), gpus_(std::move(gpus)) {
  index_domains();
  look_at_fabric();
  measure_latencies();
}

void RankGroup::index_domains() {
  std::map<int, int> number;
  for (const GpuId gpu : gpus_) {
    const int domain = number.try_emplace(cluster_->domain_of(gpu), domains_).first->second;
    if (domain == domains_) {
      ++domains_;
      members_.emplace_back();
    }
    std::vector<int>& members = members_[static_cast<std::size_t>(domain)];
    domain_.push_back(domain);
    lane_.push_back(static_cast<int>(members.size()));
    members.push_back(static_cast<int>(domain_.size()) - 1);
    lanes_ = std::max(lanes_, static_cast<int>(members.size()));
  }
  grid_ = ranks() == domains_ * lanes_;
  for (int r = 0; r < ranks() && grid_; ++r) {
    const auto i = static_cast<std::size_t>(r);
    grid_ = r == domain_[i] * lanes_ + lane_[i];
  }
}

std::span<const RankPair> RankGroup::detours() const {
  if (detours_of_ == cluster_->reroutes()) return detours_;
  detours_of_ = cluster_->reroutes();
  detours_.clear();
  for (int s = 0; s < ranks(); ++s) {
    for (int d = 0; d < ranks(); ++d) {
      if (cluster_->detours(gpus_[static_cast<std::size_t>(s)],
                            gpus_[static_cast<std::size_t>(d)])) {
        detours_.push_back({s, d});
      }
    }
  }
  return detours_;
}

int RankGroup::relay(int domain, int lane) const {
  const std::vector<int>& members = members_[static_cast<std::size_t>(domain)];
  return members[static_cast<std::size_t>(lane) % members.size()];
}

void RankGroup::look_at_fabric() {
  const Fabric* fabric = cluster_->fabric();
  if (domains_ <= 1) {
    relayed_access_ = direct_access_ = true;
    return;
  }
  if (fabric == nullptr) return;
  // Every rank's rail is its lane: one NIC per GPU, and the group takes whole domains.
  bool lane_is_rail = grid_;
  for (std::size_t r = 0; r < gpus_.size() && lane_is_rail; ++r) {
    const GpuPlace& place = cluster_->place(gpus_[r]);
    const int nics = cluster_->group_of(gpus_[r]).node.nics;
    lane_is_rail = place.nic >= 0 && nics >= cluster_->gpus_of(place.node) &&
                   cluster_->gpus() == cluster_->domains() * lanes_ &&
                   cluster_->nics()[static_cast<std::size_t>(place.nic)].rail == lane_[r];
  }
  forwards_ = lane_is_rail && cluster_->forwards();
  for (std::size_t r = 0; forwards_ && r < gpus_.size(); ++r) {
    const GpuPlace& place = cluster_->place(gpus_[r]);
    const BytesPerSecond nic = cluster_->nics()[static_cast<std::size_t>(place.nic)].bandwidth;
    feeds_nics_ = feeds_nics_ && (lanes_ - 1) * nic <= cluster_->link(place.up).bandwidth;
  }
  relayed_access_ = fabric->is_nonblocking(lane_is_rail && fabric->has_rails());
  direct_access_ = cluster_->forwards() ? forwards_ && fabric->is_nonblocking(true)
                                        : fabric->is_nonblocking(false);
}

// Exact on a grid of alike nodes up to the fabric's own differences, which it samples: every
// pair that involves the first rank, the last rank or a domain's first rank.
void RankGroup::measure_latencies() {
  const auto shorten = [](Seconds& shortest, Seconds latency) {
    if (shortest.value == 0 || latency < shortest) shortest = latency;
  };
  const auto look = [&](std::size_t a, std::size_t b) {
    if (a == b) return;
    const Seconds latency = cluster_->path(gpus_[a], gpus_[b]).latency;
    if (domain_[a] == domain_[b]) return shorten(local_latency_, latency);
    shorten(network_latency_, latency);
    if (forwards_ && lane_[a] != lane_[b]) shorten(forwarded_latency_, latency);
  };
  std::vector<std::size_t> anchors;
  if (ranks() <= 128) {
    for (std::size_t r = 0; r < gpus_.size(); ++r) anchors.push_back(r);
  } else {
    for (const auto& members : members_) {
      anchors.push_back(static_cast<std::size_t>(members.front()));
    }
  }
  for (const std::size_t a : anchors) {
    for (std::size_t b = 0; b < gpus_.size(); ++b) look(a, b);
  }
}

}  // namespace moesim
