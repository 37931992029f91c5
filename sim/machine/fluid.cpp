#include "sim/machine/fluid.hpp"

#include <algorithm>

#include "sim/machine/rank_flows.hpp"

namespace moesim {

void FluidModel::route(const Traffic& traffic) {
  const auto gpus = traffic.ranks->gpus();
  const PairPaths& paths = traffic.ranks->paths();
  flows_.clear();
  starts_.clear();
  each_rank_flow(traffic, [&](const RankFlow& f) {
    const std::size_t pair = traffic.ranks->pair(f.from, f.to);
    starts_.push_back({paths.latency(pair), flows_.size(), pair});
    flows_.push_back({gpus[static_cast<std::size_t>(f.from)],
                      gpus[static_cast<std::size_t>(f.to)], Bytes{f.bytes}, Bytes{f.work}});
  });
  std::stable_sort(starts_.begin(), starts_.end(),
                   [](const Start& a, const Start& b) { return a.latency < b.latency; });
}

void FluidModel::run(const Traffic& traffic) {
  FlowNetwork network(traffic.ranks->cluster(), window_);
  ends_.assign(flows_.size(), Seconds{0});
  const PairPaths& paths = traffic.ranks->paths();
  std::vector<LinkId> links;
  std::vector<std::size_t> flow_of;  // by number in the network
  Seconds now{0};
  std::size_t next = 0;
  while (next < starts_.size() || network.active() > 0) {
    if (network.active() == 0) now = std::max(now, starts_[next].latency);
    // Latencies that differ by rounding are one.
    while (next < starts_.size() && starts_[next].latency.value <= now.value * (1 + 1e-12)) {
      const Start& start = starts_[next++];
      links.clear();
      for (const std::uint32_t l : paths.links(start.pair))
        links.emplace_back(static_cast<int>(l));
      network.add(links, flows_[start.flow].load().value);
      flow_of.push_back(start.flow);
    }
    double lasts = network.solve();
    if (next < starts_.size()) lasts = std::min(lasts, (starts_[next].latency - now).value);
    network.advance(lasts, [&](int number, double took) {
      ends_[flow_of[static_cast<std::size_t>(number)]] = now + Seconds{took};
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
