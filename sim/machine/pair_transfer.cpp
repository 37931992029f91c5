#include "sim/machine/pair_transfer.hpp"

#include <algorithm>
#include <map>

#include "sim/base/errors.hpp"

namespace moesim {

PairTransfer::PairTransfer(const Cluster& cluster, std::vector<GpuId> from,
                           std::vector<GpuId> to)
    : cluster_(&cluster), from_(std::move(from)), to_(std::move(to)) {
  MOESIM_LAW(from_.size() == to_.size(), "every GPU that sends has a partner");
}

void PairTransfer::walk() const {
  if (reroutes_ == cluster_->reroutes()) return;
  reroutes_ = cluster_->reroutes();
  latency_ = Seconds{0};
  links_.assign(from_.size(), {});
  std::map<LinkId, double> pairs;
  for (std::size_t i = 0; i < from_.size(); ++i) {
    const Path path = cluster_->path(from_[i], to_[i]);
    latency_ = std::max(latency_, path.latency);
    for (const LinkId link : path.links()) {
      links_[i].push_back(link);
      pairs[link] += 1;
    }
  }
  share_.assign(pairs.begin(), pairs.end());
}

Seconds PairTransfer::time(Bytes each) const {
  walk();
  Seconds busiest{0};
  for (const auto& [link, pairs] : share_) {
    busiest = std::max(busiest, pairs * each / cluster_->bandwidth(link));
  }
  return latency_ + busiest;
}

void PairTransfer::account(std::span<const double> bytes, LinkLedger& ledger) const {
  walk();
  for (std::size_t i = 0; i < links_.size(); ++i) {
    for (const LinkId link : links_[i]) ledger.add(link, bytes[i]);
  }
}

}  // namespace moesim
