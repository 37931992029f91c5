#include "sim/machine/traffic.hpp"

#include <numeric>

#include "sim/machine/rank_flows.hpp"

namespace moesim {
std::vector<double> handed_on(const Traffic& t) {
  const RankGroup& ranks = *t.ranks;
  const auto n = static_cast<std::size_t>(ranks.ranks());
  std::vector<double> inside(n * n, 0.0);
  for (std::size_t s = 0; s < n; ++s) {
    const int home = ranks.domain_of()[s];
    const int lane = ranks.lane_of()[s];
    for (std::size_t d = 0; d < n; ++d) {
      const int relay = ranks.domain_of()[d] == home ? static_cast<int>(s)
                                                     : ranks.relay(ranks.domain_of()[d], lane);
      inside[static_cast<std::size_t>(relay) * n + d] +=
          t.pair_bytes(static_cast<int>(s), static_cast<int>(d));
    }
  }
  return inside;
}

double Traffic::pair_bytes(int s, int d) const {
  const auto from = static_cast<std::size_t>(s);
  return weight[from] * share[static_cast<std::size_t>(group[from]) * group.size() +
                              static_cast<std::size_t>(d)];
}

double Traffic::network_bytes(int from, int to) const {
  if (direction == Direction::backward) std::swap(from, to);
  if (padded_pair.value > 0) return padded_pair.value;
  if (!relayed()) return pair_bytes(from, to);
  const auto s = static_cast<std::size_t>(from);
  const int domain = ranks->domain_of()[static_cast<std::size_t>(to)];
  if (ranks->relay(domain, ranks->lane_of()[s]) != to) return 0;
  const auto domains = static_cast<std::size_t>(ranks->domains());
  return weight[s] * share_domain[static_cast<std::size_t>(group[s]) * domains +
                                  static_cast<std::size_t>(domain)];
}

std::vector<Flow> flows_of(const Traffic& traffic) {
  const auto gpus = traffic.ranks->gpus();
  std::vector<Flow> flows;
  each_rank_flow(traffic, [&](const RankFlow& f) {
    flows.push_back({gpus[static_cast<std::size_t>(f.from)],
                     gpus[static_cast<std::size_t>(f.to)], Bytes{f.bytes}, Bytes{f.work}});
  });
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
