#include "sim/machine/bound.hpp"

#include <algorithm>

#include "sim/machine/rank_flows.hpp"

namespace moesim {
namespace {

constexpr double kRounding = 1e-9;

// Calls visit(link, load) for every access link of a rank that carries something.
template <class Visit>
void visit_links(const GpuPlace& place, const std::span<const Nic> nics,
                 const AccessLoads& loads, std::size_t r, Visit visit) {
  const auto side = [&](const AccessLoads::Side& loads_of, LinkId inside, LinkId to_nic,
                        LinkId cable) {
    AccessLoads::Load local = loads_of.local[r];
    const AccessLoads::Load& network = loads_of.network[r];
    if (network.bytes > loads.least) {
      visit(cable, network);
      if (to_nic == inside) {  // one PCIe link for both
        local.bytes += network.bytes;
        local.work += network.work;
      } else if (to_nic.value >= 0) {
        visit(to_nic, network);
      }
    }
    if (local.bytes > loads.least) visit(inside, local);
  };
  const Nic* nic = place.nic >= 0 ? &nics[static_cast<std::size_t>(place.nic)] : nullptr;
  side(loads.out, place.up, place.nic_up, nic ? nic->up : LinkId{-1});
  side(loads.in, place.down, place.nic_down, nic ? nic->down : LinkId{-1});
}

}  // namespace

Outcome BoundModel::time(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  const Cluster& cluster = traffic.ranks->cluster();
  const CollectiveLoads& all = loads(traffic);
  Outcome out;
  Seconds last{0}, busy{0};
  for (const CollectiveLoads::Load& load : all.loads) {
    const Seconds transfer = Bytes{load.work} / cluster.bandwidth(load.link);
    const Seconds end =
        std::max(load.latency + transfer,
                 load.handed_latency + Bytes{load.handed} / cluster.bandwidth(load.link));
    if (end <= last) continue;
    last = end;
    busy = transfer;
    out.busiest = load.link;
  }
  out.makespan = traffic.overhead + last;
  if (out.makespan.value > 0) out.utilization = busy / out.makespan;
  if (ledger != nullptr) {
    ledger->open(start, start + out.makespan);
    for (const CollectiveLoads::Load& load : all.loads) {
      ledger->add(load.link, load.bytes, load.work);
    }
  }
  return out;
}

const CollectiveLoads& BoundModel::loads(const Traffic& traffic) {
  loads_.loads.clear();
  const RankGroup& ranks = *traffic.ranks;
  const auto domain = [&](int rank) {
    return ranks.domain_of()[static_cast<std::size_t>(rank)];
  };
  const bool sums = ranks.access_bound(traffic.relayed());
  const std::span<const RankPair> detours =
      sums ? ranks.detours() : std::span<const RankPair>();
  // What a relay hands on inside its domain is not known pair by pair.
  const bool inside = std::any_of(detours.begin(), detours.end(), [&](const RankPair& p) {
    return domain(p.from) == domain(p.to);
  });
  if (!sums || inside) {
    from_flows(traffic);
  } else {
    from_sums(traffic);
    if (!detours.empty()) go_around(traffic);
  }
  return loads_;
}

Seconds BoundModel::busy_inside(const Cluster& cluster) const {
  Seconds longest{0};
  for (const CollectiveLoads::Load& load : loads_.loads) {
    const LinkKind kind = cluster.link(load.link).kind;
    if (kind != LinkKind::nvlink && kind != LinkKind::pcie) continue;
    longest = std::max(longest, Bytes{load.work} / cluster.bandwidth(load.link));
  }
  return longest;
}

void BoundModel::from_sums(const Traffic& traffic) {
  const RankGroup& ranks = *traffic.ranks;
  const Cluster& cluster = ranks.cluster();
  const AccessLoads& access = sums_.sum(traffic);
  for (std::size_t r = 0; r < ranks.gpus().size(); ++r) {
    visit_links(cluster.place(ranks.gpus()[r]), cluster.nics(), access, r,
                [&](LinkId id, const AccessLoads::Load& load) {
                  const GpuPlace& place = cluster.place(ranks.gpus()[r]);
                  const bool local = id == place.up || id == place.down;
                  const Seconds latency = local && access.any_local ? ranks.local_latency()
                                                                    : ranks.network_latency();
                  const double handed = load.handed > kRounding * load.work ? load.handed : 0;
                  const Seconds later = handed > 0 ? ranks.forwarded_latency() : Seconds{0};
                  loads_.loads.push_back({id, load.bytes, load.work, latency, handed, later});
                });
  }
}

void BoundModel::clear(const Cluster& cluster) {
  handed_.assign(static_cast<std::size_t>(cluster.links()), 0.0);
  bytes_.assign(static_cast<std::size_t>(cluster.links()), 0.0);
  work_.assign(static_cast<std::size_t>(cluster.links()), 0.0);
  latency_.assign(static_cast<std::size_t>(cluster.links()), Seconds{0});
}

void BoundModel::collect(const Cluster& cluster, Seconds handed_latency) {
  loads_.loads.clear();
  for (std::size_t i = 0; i < work_.size(); ++i) {
    // On a link that is down only rounding is left of what was taken off it.
    if (work_[i] <= 0 || cluster.scale(LinkId{i}) <= 0) continue;
    const double handed = handed_[i] > kRounding * work_[i] ? handed_[i] : 0;
    loads_.loads.push_back({LinkId{i}, std::max(bytes_[i], 0.0), work_[i], latency_[i], handed,
                            handed > 0 ? handed_latency : Seconds{0}});
  }
}

void BoundModel::from_flows(const Traffic& traffic) {
  const RankGroup& ranks = *traffic.ranks;
  const Cluster& cluster = ranks.cluster();
  clear(cluster);
  const PairPaths& paths = ranks.paths();
  each_rank_flow(traffic, [&](const RankFlow& flow) {
    const std::size_t pair = ranks.pair(flow.from, flow.to);
    const Seconds way = paths.latency(pair);
    const bool handed = way.value > ranks.network_latency().value * (1 + kRounding);
    for (const std::uint32_t link : paths.links(pair)) {
      latency_[link] = work_[link] > 0 ? std::min(latency_[link], way) : way;
      bytes_[link] += flow.bytes;
      work_[link] += flow.work;
      if (handed) handed_[link] += flow.work;
    }
  });
  collect(cluster, ranks.forwarded_latency());
}

void BoundModel::send(const Path& path, double bytes, double work, Seconds shortest) {
  const bool handed = path.latency.value > shortest.value * (1 + kRounding);
  for (const LinkId link : path.links()) {
    Seconds& latency = latency_[link.index()];
    if (latency.value == 0) latency = path.latency;
    bytes_[link.index()] += bytes;
    work_[link.index()] += work;
    if (handed) handed_[link.index()] += work;
  }
}

// Takes what cannot go the planned way off it and sends it around.
void BoundModel::go_around(const Traffic& traffic) {
  const RankGroup& ranks = *traffic.ranks;
  const Cluster& cluster = ranks.cluster();
  clear(cluster);
  for (const CollectiveLoads::Load& load : loads_.loads) {
    bytes_[load.link.index()] = load.bytes;
    work_[load.link.index()] = load.work;
    latency_[load.link.index()] = load.latency;
    handed_[load.link.index()] = load.handed;
  }
  for (const RankPair& pair : ranks.detours()) {
    const double bytes = traffic.network_bytes(pair.from, pair.to);
    if (bytes <= 0) continue;
    const double work = bytes / traffic.network_efficiency;
    const GpuId src = ranks.gpus()[static_cast<std::size_t>(pair.from)];
    const GpuId dst = ranks.gpus()[static_cast<std::size_t>(pair.to)];
    send(cluster.planned_path(src, dst), -bytes, -work, ranks.network_latency());
    send(cluster.path(src, dst), bytes, work, ranks.network_latency());
  }
  collect(cluster, ranks.forwarded_latency());
}

}  // namespace moesim
