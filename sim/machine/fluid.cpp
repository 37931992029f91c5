#include "sim/machine/fluid.hpp"

#include <algorithm>

namespace moesim {

void FluidModel::route(const Traffic& traffic) {
  const Cluster& cluster = traffic.ranks->cluster();
  flows_ = flows_of(traffic);
  starts_.clear();
  for (std::size_t f = 0; f < flows_.size(); ++f) {
    const Path path = cluster.path(flows_[f].src, flows_[f].dst);
    starts_.push_back({path.latency, static_cast<int>(f), path});
  }
  std::stable_sort(starts_.begin(), starts_.end(),
                   [](const Start& a, const Start& b) { return a.latency < b.latency; });
}

void FluidModel::run(const Traffic& traffic) {
  FlowNetwork network(traffic.ranks->cluster(), window_);
  ends_.assign(flows_.size(), Seconds{0});
  std::vector<int> flow_of;  // by number in the network
  Seconds now{0};
  std::size_t next = 0;
  while (next < starts_.size() || network.active() > 0) {
    if (network.active() == 0) now = std::max(now, starts_[next].latency);
    // Latencies that differ by rounding are one.
    while (next < starts_.size() && starts_[next].latency.value <= now.value * (1 + 1e-12)) {
      const Start& start = starts_[next++];
      network.add(start.path.links(),
                  flows_[static_cast<std::size_t>(start.flow)].load().value);
      flow_of.push_back(start.flow);
    }
    double lasts = network.solve();
    if (next < starts_.size()) lasts = std::min(lasts, (starts_[next].latency - now).value);
    network.advance(lasts, [&](int number, double took) {
      ends_[static_cast<std::size_t>(flow_of[static_cast<std::size_t>(number)])] =
          now + Seconds{took};
    });
    now += Seconds{lasts};
  }
}

Outcome FluidModel::time(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  route(traffic);
  run(traffic);
  return outcome_.of(traffic, flows_, ends_, ledger, start);
}

}  // namespace moesim
