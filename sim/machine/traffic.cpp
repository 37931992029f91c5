#include "sim/machine/traffic.hpp"

#include <numeric>

#include "sim/machine/rank_flows.hpp"

namespace moesim {

std::vector<double> handed_on(const Traffic& t) {
  const RankGroup& ranks = *t.ranks;
  const auto n = static_cast<std::size_t>(ranks.ranks());
  std::vector<double> inside(n * n, 0.0);
  std::vector<double> bytes(n);
  for (std::size_t s = 0; s < n; ++s) {
    const int home = ranks.domain_of()[s];
    const int lane = ranks.lane_of()[s];
    t.bytes_from(s, bytes);
    for (std::size_t d = 0; d < n; ++d) {
      const int relay = ranks.domain_of()[d] == home ? static_cast<int>(s)
                                                     : ranks.relay(ranks.domain_of()[d], lane);
      inside[static_cast<std::size_t>(relay) * n + d] += bytes[d];
    }
  }
  return inside;
}

void Traffic::bytes_from(std::size_t s, std::span<double> out) const {
  share->expand(static_cast<std::size_t>(group[s]), 0, out);
  for (double& bytes : out) bytes *= weight[s];
}

double Traffic::network_bytes(int from, int to) const {
  if (direction == Direction::backward) std::swap(from, to);
  if (padded_pair.value > 0) return padded_pair.value;
  const auto s = static_cast<std::size_t>(from);
  const auto row = static_cast<std::size_t>(group[s]);
  if (!relayed()) return weight[s] * share->at(row, static_cast<std::size_t>(to));
  const int domain = ranks->domain_of()[static_cast<std::size_t>(to)];
  if (ranks->relay(domain, ranks->lane_of()[s]) != to) return 0;
  return weight[s] * share_domain->at(row, static_cast<std::size_t>(domain));
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

MatrixTraffic::MatrixTraffic(const RankGroup& ranks, const std::vector<double>& bytes)
    : bytes_(ranks.ranks(), bytes),
      ones_(static_cast<std::size_t>(ranks.ranks()), 1.0),
      rows_(static_cast<std::size_t>(ranks.ranks())) {
  MOESIM_LAW(bytes_.places() == ones_.size(), "a traffic matrix is ranks x ranks");
  std::iota(rows_.begin(), rows_.end(), 0);
  traffic_.ranks = &ranks;
  traffic_.group = rows_;
  traffic_.weight = ones_;
  traffic_.share = &bytes_;
}

}  // namespace moesim
