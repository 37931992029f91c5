#include "sim/machine/group_traffic.hpp"

#include <algorithm>
#include <map>

namespace moesim {

namespace {

// The GPUs of each domain, domains in the order in which they come.
std::vector<std::vector<GpuId>> by_domain(const Cluster& cluster,
                                          const std::vector<GpuId>& group) {
  std::map<int, std::size_t> number;
  std::vector<std::vector<GpuId>> out;
  for (const GpuId gpu : group) {
    const auto [at, is_new] = number.try_emplace(cluster.domain_of(gpu), out.size());
    if (is_new) out.emplace_back();
    out[at->second].push_back(gpu);
  }
  return out;
}

}  // namespace

GroupTraffic::GroupTraffic(const Cluster& cluster, std::vector<std::vector<GpuId>> groups)
    : cluster_(&cluster), groups_(std::move(groups)) {}

GroupTraffic::Crossings GroupTraffic::ring_halves(const std::vector<GpuId>& group) const {
  std::map<LinkId, double> crossings;
  const auto ring = [&](const std::vector<GpuId>& gpus, double share) {
    const std::size_t n = gpus.size();
    const double each = share * static_cast<double>(n - 1) / static_cast<double>(n);
    for (std::size_t i = 0; n > 1 && i < n; ++i) {
      const Path path = cluster_->path(gpus[i], gpus[(i + 1) % n]);
      for (const LinkId link : path.links()) crossings[link] += each;
    }
  };
  const std::vector<std::vector<GpuId>> domains = by_domain(*cluster_, group);
  std::size_t lanes = 0;
  for (const auto& domain : domains) {
    ring(domain, 1);
    lanes = std::max(lanes, domain.size());
  }
  for (std::size_t lane = 0; domains.size() > 1 && lane < lanes; ++lane) {
    std::vector<GpuId> gpus;
    for (const auto& domain : domains) gpus.push_back(domain[lane % domain.size()]);
    ring(gpus, 1 / static_cast<double>(lanes));
  }
  return {crossings.begin(), crossings.end()};
}

void GroupTraffic::walk() const {
  if (reroutes_ == cluster_->reroutes()) return;
  reroutes_ = cluster_->reroutes();
  halves_.clear();
  for (const std::vector<GpuId>& group : groups_) halves_.push_back(ring_halves(group));
}

void GroupTraffic::account(GroupOp op, std::span<const double> bytes,
                           LinkLedger& ledger) const {
  walk();
  const double halves = op == GroupOp::all_reduce ? 2 : 1;
  for (std::size_t g = 0; g < halves_.size(); ++g) {
    for (const auto& [link, crossings] : halves_[g]) {
      ledger.add(link, halves * crossings * bytes[g], 0);
    }
  }
}

}  // namespace moesim
