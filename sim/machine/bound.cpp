#include "sim/machine/bound.hpp"

#include <algorithm>

namespace moesim {
namespace {

struct Busiest {
  const Cluster& cluster;
  double seconds = 0;
  LinkId link{-1};

  void consider(LinkId id, double work) {
    const double time = work / cluster.bandwidth(id).value;
    if (time > seconds) {
      seconds = time;
      link = id;
    }
  }
};

Outcome outcome(const Traffic& traffic, const Busiest& busiest, Seconds latency) {
  Outcome out;
  out.makespan = traffic.overhead + latency + Seconds{busiest.seconds};
  out.busiest = busiest.link;
  if (out.makespan.value > 0) out.utilization = busiest.seconds / out.makespan.value;
  return out;
}

// Calls visit(link, load) for every access link of a rank that carries something.
template <class Visit>
void visit_links(const GpuPlace& place, const std::span<const Nic> nics,
                 const AccessLoads& loads, std::size_t r, Visit visit) {
  const auto side = [&](const AccessLoads::Side& loads_of, LinkId inside, LinkId to_nic,
                        LinkId cable) {
    AccessLoads::Load local = loads_of.local[r];
    const AccessLoads::Load& network = loads_of.network[r];
    if (network.bytes > 0) {
      visit(cable, network);
      if (to_nic == inside) {  // one PCIe link for both
        local.bytes += network.bytes;
        local.work += network.work;
      } else if (to_nic.value >= 0) {
        visit(to_nic, network);
      }
    }
    if (local.bytes > 0) visit(inside, local);
  };
  const Nic* nic = place.nic >= 0 ? &nics[static_cast<std::size_t>(place.nic)] : nullptr;
  side(loads.out, place.up, place.nic_up, nic ? nic->up : LinkId{-1});
  side(loads.in, place.down, place.nic_down, nic ? nic->down : LinkId{-1});
}

}  // namespace

Outcome BoundModel::time(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  const bool sums = traffic.ranks->access_bound(traffic.relayed()) &&
                    traffic.ranks->cluster().links_down() == 0;
  return sums ? from_access(traffic, ledger, start) : from_flows(traffic, ledger, start);
}

Outcome BoundModel::from_access(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  const RankGroup& ranks = *traffic.ranks;
  const Cluster& cluster = ranks.cluster();
  const AccessLoads& loads = sums_.sum(traffic);
  Busiest busiest{cluster};
  for (std::size_t r = 0; r < ranks.gpus().size(); ++r) {
    visit_links(
        cluster.place(ranks.gpus()[r]), cluster.nics(), loads, r,
        [&](LinkId id, const AccessLoads::Load& load) { busiest.consider(id, load.work); });
  }
  Seconds latency{0};
  if (loads.any_local) latency = std::max(latency, ranks.local_latency());
  if (loads.any_network) latency = std::max(latency, ranks.network_latency());
  const Outcome out = outcome(traffic, busiest, latency);
  if (ledger == nullptr) return out;
  ledger->open(start, start + out.makespan);
  for (std::size_t r = 0; r < ranks.gpus().size(); ++r) {
    visit_links(cluster.place(ranks.gpus()[r]), cluster.nics(), loads, r,
                [&](LinkId id, const AccessLoads::Load& load) { ledger->add(id, load.bytes); });
  }
  return out;
}

Outcome BoundModel::from_flows(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  const Cluster& cluster = traffic.ranks->cluster();
  bytes_.assign(static_cast<std::size_t>(cluster.links()), 0.0);
  work_.assign(static_cast<std::size_t>(cluster.links()), 0.0);
  Seconds latency{0};
  for (const Flow& flow : flows_of(traffic)) {
    const Path path = cluster.path(flow.src, flow.dst);
    latency = std::max(latency, path.latency);
    for (const LinkId id : path.links()) {
      bytes_[id.index()] += flow.bytes.value;
      work_[id.index()] += flow.load().value;
    }
  }
  Busiest busiest{cluster};
  for (std::size_t i = 0; i < work_.size(); ++i) {
    if (work_[i] > 0) busiest.consider(LinkId{i}, work_[i]);
  }
  const Outcome out = outcome(traffic, busiest, latency);
  if (ledger == nullptr) return out;
  ledger->open(start, start + out.makespan);
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (bytes_[i] > 0) ledger->add(LinkId{i}, bytes_[i]);
  }
  return out;
}

}  // namespace moesim
