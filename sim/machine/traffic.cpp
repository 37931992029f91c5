#include "sim/machine/traffic.hpp"

#include <numeric>

namespace moesim {
namespace {

class FlowList {
 public:
  FlowList(const Traffic& traffic, std::vector<RankFlow>& flows) : t_(traffic), flows_(flows) {
    flows.clear();
  }

  void add(int from, int to, double bytes, double efficiency) {
    if (from == to || bytes <= 0) return;
    if (t_.direction == Direction::backward) std::swap(from, to);
    flows_.push_back({from, to, bytes, bytes / efficiency});
  }

 private:
  const Traffic& t_;
  std::vector<RankFlow>& flows_;
};

void add_pairs(const Traffic& t, FlowList& list) {
  const auto domain = t.ranks->domain_of();
  for (int s = 0; s < t.ranks->ranks(); ++s) {
    for (int d = 0; d < t.ranks->ranks(); ++d) {
      const bool local =
          domain[static_cast<std::size_t>(s)] == domain[static_cast<std::size_t>(d)];
      list.add(s, d, t.padded_pair.value > 0 ? t.padded_pair.value : t.pair_bytes(s, d),
               local ? t.local_efficiency : t.network_efficiency);
    }
  }
}

void add_relayed(const Traffic& t, FlowList& list) {
  const RankGroup& ranks = *t.ranks;
  const auto n = static_cast<std::size_t>(ranks.ranks());
  const auto domains = static_cast<std::size_t>(ranks.domains());
  std::vector<double> inside(n * n, 0.0);  // [relay * ranks + destination]
  for (std::size_t s = 0; s < n; ++s) {
    const int home = ranks.domain_of()[s];
    const int lane = ranks.lane_of()[s];
    const auto row = static_cast<std::size_t>(t.group[s]);
    for (std::size_t m = 0; m < domains; ++m) {
      if (static_cast<int>(m) == home) continue;
      list.add(static_cast<int>(s), ranks.relay(static_cast<int>(m), lane),
               t.weight[s] * t.share_domain[row * domains + m], t.network_efficiency);
    }
    for (std::size_t d = 0; d < n; ++d) {
      const int relay = ranks.domain_of()[d] == home ? static_cast<int>(s)
                                                     : ranks.relay(ranks.domain_of()[d], lane);
      inside[static_cast<std::size_t>(relay) * n + d] +=
          t.pair_bytes(static_cast<int>(s), static_cast<int>(d));
    }
  }
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t d = 0; d < n; ++d) {
      list.add(static_cast<int>(r), static_cast<int>(d), inside[r * n + d], t.local_efficiency);
    }
  }
}

}  // namespace

double Traffic::pair_bytes(int s, int d) const {
  const auto from = static_cast<std::size_t>(s);
  return weight[from] * share[static_cast<std::size_t>(group[from]) * group.size() +
                              static_cast<std::size_t>(d)];
}

void rank_flows_of(const Traffic& traffic, std::vector<RankFlow>& out) {
  FlowList list(traffic, out);
  if (traffic.relayed()) {
    add_relayed(traffic, list);
  } else {
    add_pairs(traffic, list);
  }
}

std::vector<Flow> flows_of(const Traffic& traffic) {
  std::vector<RankFlow> between;
  rank_flows_of(traffic, between);
  const auto gpus = traffic.ranks->gpus();
  std::vector<Flow> flows;
  flows.reserve(between.size());
  for (const RankFlow& f : between) {
    flows.push_back({gpus[static_cast<std::size_t>(f.from)],
                     gpus[static_cast<std::size_t>(f.to)], Bytes{f.bytes}, Bytes{f.work}});
  }
  return flows;
}

MatrixTraffic::MatrixTraffic(const RankGroup& ranks, std::vector<double> bytes)
    : bytes_(std::move(bytes)),
      ones_(static_cast<std::size_t>(ranks.ranks()), 1.0),
      rows_(static_cast<std::size_t>(ranks.ranks())) {
  MOESIM_LAW(bytes_.size() == ones_.size() * ones_.size(), "a traffic matrix is ranks x ranks");
  std::iota(rows_.begin(), rows_.end(), 0);
  traffic_.ranks = &ranks;
  traffic_.group = rows_;
  traffic_.weight = ones_;
  traffic_.share = bytes_;
}

}  // namespace moesim
