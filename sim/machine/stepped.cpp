#include "sim/machine/stepped.hpp"

#include <algorithm>

namespace moesim {
namespace {

constexpr double kOpen = -1;  // a flow without a rate in this step
constexpr double kTail =
    0.005;  // of the whole: that little is taken to end with its busiest link

}  // namespace

Outcome SteppedModel::time(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  gather(traffic);
  const Busiest whole = busiest();
  const Seconds at_least = bound();
  Busiest left = whole;
  double now = 0;
  while (left.seconds > kTail * whole.seconds) {
    const double seconds = std::min(step_ * left.seconds, longest_step_ * whole.seconds);
    share_out(seconds);
    advance();
    now += seconds;
    left = busiest();
  }
  Outcome out;
  if (!moved_.empty()) {
    // A link that others held up ends with the flows that came last.
    const bool held_up = now + left.seconds > whole.seconds * (1 + 1e-3);
    const LinkTraffic& last = carried_[left.link];
    const Seconds from = held_up ? last.latest : last.start(links_[left.link].bandwidth);
    const Seconds end = from + Seconds{now + left.seconds};
    out.makespan = traffic.overhead + std::max({end, at_least, longest_});
    out.busiest = LinkId{static_cast<int>(whole.link)};
    out.utilization = whole.seconds / out.makespan.value;
  } else {
    out.makespan = traffic.overhead;
  }
  if (ledger != nullptr) {
    ledger->open(start, start + out.makespan);
    for (const std::uint32_t l : used_) {
      ledger->add(LinkId{static_cast<int>(l)}, carried_[l].bytes);
    }
  }
  return out;
}

void SteppedModel::LinkTraffic::add(const RankFlow& flow, Seconds way) {
  soonest = flows == 0 ? way : std::min(soonest, way);
  if (way.value > latest.value * (1 + 1e-9)) {
    latest = way;
    late = 0;
  }
  if (way.value >= latest.value * (1 - 1e-9)) late += flow.work;
  ++flows;
  bytes += flow.bytes;
  work += flow.work;
}

Seconds SteppedModel::LinkTraffic::start(double bandwidth) const {
  return std::max(soonest, latest - Bytes{work - late} / BytesPerSecond{bandwidth});
}

void SteppedModel::gather(const Traffic& traffic) {
  const Cluster& cluster = traffic.ranks->cluster();
  const PairPaths& paths = traffic.ranks->paths();
  hops_ = paths.all_links();
  links_.assign(static_cast<std::size_t>(cluster.links()), {});
  carried_.assign(links_.size(), {});
  share_.resize(links_.size());
  flows_.clear();
  used_.clear();
  longest_ = Seconds{0};
  rank_flows_of(traffic, moved_);
  for (const RankFlow& moved : moved_) {
    const std::size_t pair = traffic.ranks->pair(moved.from, moved.to);
    const FlowState flow{moved.work, kOpen, paths.first(pair), paths.first(pair + 1)};
    const Seconds latency = paths.latency(pair);
    longest_ = std::max(longest_, latency);
    for (std::uint32_t h = flow.first; h < flow.last; ++h) {
      LinkTraffic& link = carried_[hops_[h]];
      if (link.flows == 0) used_.push_back(hops_[h]);
      link.add(moved, latency);
    }
    flows_.push_back(flow);
  }
  std::sort(used_.begin(), used_.end());
  for (const std::uint32_t l : used_) {
    links_[l].bandwidth = cluster.bandwidth(LinkId{static_cast<int>(l)}).value;
    links_[l].left = carried_[l].work;
    links_[l].active = carried_[l].flows;
  }
}

SteppedModel::Busiest SteppedModel::busiest() const {
  Busiest most;
  for (const std::uint32_t l : used_) {
    if (links_[l].active == 0) continue;
    const double seconds = links_[l].left / links_[l].bandwidth;
    if (seconds > most.seconds) most = {l, seconds};
  }
  return most;
}

// Before anything is shared.
Seconds SteppedModel::bound() const {
  Seconds last{0};
  for (const std::uint32_t l : used_) {
    const double bandwidth = links_[l].bandwidth;
    last = std::max(last, carried_[l].start(bandwidth) +
                              Bytes{carried_[l].work} / BytesPerSecond{bandwidth});
  }
  return last;
}

void SteppedModel::share_out(double seconds) {
  for (const std::uint32_t l : used_) {
    LinkState& link = links_[l];
    link.open = link.active;
    link.free = link.bandwidth * seconds;
    share_[l] = link.fair_share();
  }
  open_.resize(flows_.size());
  for (std::uint32_t f = 0; f < open_.size(); ++f) {
    flows_[f].gets = kOpen;
    open_[f] = f;
  }
  give_small_flows();
  index_open_flows();
  fill();
}

void SteppedModel::give(FlowState& flow, double bytes) {
  flow.gets = bytes;
  for (std::uint32_t h = flow.first; h < flow.last; ++h) {
    LinkState& link = links_[hops_[h]];
    link.free -= bytes;
    --link.open;
  }
}

// A flow with less left than any of its links gives every flow gets all of it. Shares only grow
// by that, so they are looked at anew once.
void SteppedModel::give_small_flows() {
  for (int pass = 0; pass < 2; ++pass) {
    std::size_t kept = 0;
    for (const std::uint32_t f : open_) {
      FlowState& flow = flows_[f];
      bool small = true;
      for (std::uint32_t h = flow.first; h < flow.last; ++h) {
        small &= flow.left <= share_[hops_[h]];
      }
      if (small) {
        give(flow, flow.left);
      } else {
        open_[kept++] = f;
      }
    }
    open_.resize(kept);
    for (const std::uint32_t l : used_) {
      share_[l] = links_[l].fair_share();
    }
  }
}

void SteppedModel::index_open_flows() {
  std::uint32_t end = 0;
  for (const std::uint32_t l : used_) {
    carried_[l].first_flow = carried_[l].end_flow = end;
    end += static_cast<std::uint32_t>(links_[l].open);
  }
  on_link_.resize(end);
  for (const std::uint32_t f : open_) {
    for (std::uint32_t h = flows_[f].first; h < flows_[f].last; ++h) {
      on_link_[carried_[hops_[h]].end_flow++] = f;
    }
  }
}

// Progressive filling (flow_network.hpp) of what the small flows left.
void SteppedModel::fill() {
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.share != b.share ? a.share > b.share : a.link > b.link;
  };
  heap_.clear();
  for (const std::uint32_t l : used_) {
    if (links_[l].open > 0) heap_.push_back({share_[l], l});
  }
  std::make_heap(heap_.begin(), heap_.end(), later);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const LinkState& link = links_[heap_.back().link];
    LinkTraffic& flows = carried_[heap_.back().link];
    double& known = heap_.back().share;
    const bool holds = link.fair_share() <= known * (1 + 1e-12);
    if (link.open > 0 && holds && !give_open(flows, known, true))
      give_open(flows, known, false);
    if (link.open == 0) {
      heap_.pop_back();
    } else {
      known = link.fair_share();
      std::push_heap(heap_.begin(), heap_.end(), later);
    }
  }
}

// Gives the open flows of a link their share, or, where `bounded`, only those that have less
// left than that all of it. True when any flow was given.
bool SteppedModel::give_open(LinkTraffic& link, double share, bool bounded) {
  std::uint32_t kept = link.first_flow;
  bool any = false;
  for (std::uint32_t i = link.first_flow; i < link.end_flow; ++i) {
    FlowState& flow = flows_[on_link_[i]];
    if (flow.gets != kOpen) continue;
    if (bounded && flow.left > share) {
      on_link_[kept++] = on_link_[i];
      continue;
    }
    give(flow, std::min(flow.left, share));
    any = true;
  }
  link.end_flow = kept;
  return any;
}

void SteppedModel::advance() {
  std::size_t kept = 0;
  for (FlowState& flow : flows_) {
    const bool ends = flow.gets >= flow.left * (1 - 1e-12);
    for (std::uint32_t h = flow.first; h < flow.last; ++h) {
      LinkState& link = links_[hops_[h]];
      link.left -= flow.gets;
      link.active -= ends;
    }
    flow.left -= flow.gets;
    if (!ends) flows_[kept++] = flow;
  }
  flows_.resize(kept);
}

}  // namespace moesim
