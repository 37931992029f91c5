// The flows of a collective one by one, without those to self and those of zero bytes.
#pragma once

#include <utility>
#include <vector>

#include "sim/machine/traffic.hpp"

namespace moesim {

// One flow between ranks as data moves.
struct RankFlow {
  int from = 0;
  int to = 0;
  double bytes = 0;
  double work = 0;  // bytes over the efficiency
};

// inside[relay * ranks + destination]: bytes of relayed traffic inside domains.
std::vector<double> handed_on(const Traffic& traffic);

// Calls visit(const RankFlow&) for every flow, source by source.
template <class Visit>
void each_rank_flow(const Traffic& t, Visit visit) {
  const RankGroup& ranks = *t.ranks;
  const auto domain = ranks.domain_of();
  const auto n = static_cast<std::size_t>(ranks.ranks());
  const auto flow = [&](std::size_t from, std::size_t to, double bytes, double efficiency) {
    if (from == to || bytes <= 0) return;
    if (t.direction == Direction::backward) std::swap(from, to);
    visit(RankFlow{static_cast<int>(from), static_cast<int>(to), bytes, bytes / efficiency});
  };
  if (!t.relayed()) {
    std::vector<double> bytes(n, t.padded_pair.value);
    for (std::size_t s = 0; s < n; ++s) {
      if (t.padded_pair.value <= 0) t.bytes_from(s, bytes);
      for (std::size_t d = 0; d < n; ++d) {
        flow(s, d, bytes[d],
             domain[s] == domain[d] ? t.local_efficiency : t.network_efficiency);
      }
    }
    return;
  }
  std::vector<double> share(static_cast<std::size_t>(ranks.domains()));
  for (std::size_t s = 0; s < n; ++s) {
    t.share_domain->expand(static_cast<std::size_t>(t.group[s]), 0, share);
    for (std::size_t m = 0; m < share.size(); ++m) {
      if (static_cast<int>(m) == domain[s]) continue;
      const int relay = ranks.relay(static_cast<int>(m), ranks.lane_of()[s]);
      flow(s, static_cast<std::size_t>(relay), t.weight[s] * share[m], t.network_efficiency);
    }
  }
  const std::vector<double> inside = handed_on(t);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t d = 0; d < n; ++d) flow(r, d, inside[r * n + d], t.local_efficiency);
  }
}

}  // namespace moesim
