#include "sim/machine/shared_collectives.hpp"

#include <algorithm>

namespace moesim {
namespace {

// Calls visit(from, to) for every pair of ranks between which the traffic may move data.
template <class Visit>
void each_pair(const Traffic& traffic, Visit visit) {
  const RankGroup& ranks = *traffic.ranks;
  for (int s = 0; s < ranks.ranks(); ++s) {
    const int home = ranks.domain_of()[static_cast<std::size_t>(s)];
    const int lane = ranks.lane_of()[static_cast<std::size_t>(s)];
    for (int d = 0; d < ranks.ranks(); ++d) {
      const int domain = ranks.domain_of()[static_cast<std::size_t>(d)];
      const bool across = domain != home;
      if (s == d || (traffic.relayed() && across && ranks.relay(domain, lane) != d)) continue;
      traffic.direction == Direction::forward ? visit(s, d) : visit(d, s);
    }
  }
}

// Slows links for as long as it lives.
class Slowed {
 public:
  explicit Slowed(Cluster& cluster) : cluster_(cluster) {}
  Slowed(const Slowed&) = delete;
  Slowed& operator=(const Slowed&) = delete;
  ~Slowed() {
    for (const auto& [link, scale] : before_) cluster_.set_scale(link, scale);
  }
  void slow(LinkId link, double factor) {
    before_.emplace_back(link, cluster_.scale(link));
    cluster_.set_scale(link, cluster_.scale(link) * factor);
  }

 private:
  Cluster& cluster_;
  std::vector<std::pair<LinkId, double>> before_;
};

}  // namespace

const std::vector<int>& SharedCollectives::flows_on_links(const Traffic& traffic) {
  const std::size_t kind = 2 * (traffic.direction == Direction::forward) + traffic.relayed();
  FlowCounts& counts = counts_[kind];
  const Cluster& cluster = traffic.ranks->cluster();
  if (counts.ranks == traffic.ranks && counts.reroutes == cluster.reroutes()) {
    return counts.flows;
  }
  counts.ranks = traffic.ranks;
  counts.reroutes = cluster.reroutes();
  counts.flows.assign(static_cast<std::size_t>(cluster.links()), 0);
  const PairPaths& paths = traffic.ranks->paths();
  each_pair(traffic, [&](int from, int to) {
    for (const std::uint32_t l : paths.links(traffic.ranks->pair(from, to))) ++counts.flows[l];
  });
  return counts.flows;
}

void SharedCollectives::begin_step(Seconds now) {
  began_ = now;
  shared_.clear();
  if (!transfers_.any()) return;
  for (const LinkWant& want : transfers_.wants()) shared_.push_back({.want = want});
}

Seconds SharedCollectives::extra(Shared& link, int flows, Seconds work, Seconds since,
                                 double times) const {
  const LinkWant& want = link.want;
  const Seconds between = std::max(Seconds{0}, since - link.carried - link.given);
  const Seconds left = want.left - link.given - want.share * between;
  const double fair = static_cast<double>(flows) / (flows + want.flows);
  const double gets = std::max(fair, 1 - want.share);
  const Seconds each = std::clamp(left / times, Seconds{0}, work * (1 / gets - 1));
  link.carried += times * work;
  link.given += times * each;
  return each;
}

Outcome SharedCollectives::time(CollectiveModel& model, const Traffic& traffic,
                                LinkLedger& ledger, Seconds start, double times) {
  if (shared_.empty()) return model.time(traffic, &ledger, start);
  const Cluster& cluster = transfers_.cluster();
  before_.clear();
  for (const Shared& link : shared_) before_.push_back(alone_.work()[link.want.link.index()]);
  model.time(traffic, &alone_);
  Slowed slowed(transfers_.cluster());
  const std::vector<int>& flows = flows_on_links(traffic);
  for (std::size_t i = 0; i < shared_.size(); ++i) {
    const LinkId id = shared_[i].want.link;
    const Seconds work = Bytes{alone_.work()[id.index()] - before_[i]} / cluster.bandwidth(id);
    if (work.value <= 0) continue;
    const Seconds more = extra(shared_[i], flows[id.index()], work, start - began_, times);
    if (more.value > 0) slowed.slow(id, work / (work + more));
  }
  return model.time(traffic, &ledger, start);
}

}  // namespace moesim
