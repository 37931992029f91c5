#include "sim/machine/stepped.hpp"

#include <algorithm>

namespace moesim {
namespace {

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
    take_step(seconds);
    now += seconds;
    left = busiest();
  }
  Outcome out;
  if (!moved_.empty()) {
    // A link that others held up ends with the flows that came last.
    const bool held_up = now + left.seconds > whole.seconds * (1 + 1e-3);
    const LinkTraffic& last = carried_[left.link];
    const Seconds from = held_up ? last.latest : last.start(bandwidth_[left.link]);
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
  const auto links = static_cast<std::size_t>(cluster.links());
  hops_ = paths.all_links();
  links_.assign(links, {});
  carried_.assign(links, {});
  for (auto* of_link : {&bandwidth_, &left_, &share_}) of_link->resize(links);
  open_on_.resize(links);
  flows_.clear();
  used_.clear();
  longest_ = Seconds{0};
  rank_flows_of(traffic, moved_);
  for (const RankFlow& moved : moved_) {
    const std::size_t pair = traffic.ranks->pair(moved.from, moved.to);
    const FlowState flow{moved.work, paths.first(pair), paths.first(pair + 1)};
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
    bandwidth_[l] = cluster.bandwidth(LinkId{static_cast<int>(l)}).value;
    left_[l] = carried_[l].work;
    links_[l].active = carried_[l].flows;
  }
  busy_ = used_;
}

SteppedModel::Busiest SteppedModel::busiest() const {
  Busiest most;
  for (const std::uint32_t l : busy_) {
    if (links_[l].active == 0) continue;
    const double seconds = left_[l] / bandwidth_[l];
    if (seconds > most.seconds) most = {l, seconds};
  }
  return most;
}

// Before anything is shared.
Seconds SteppedModel::bound() const {
  Seconds last{0};
  for (const std::uint32_t l : used_) {
    last = std::max(last, carried_[l].start(bandwidth_[l]) +
                              Bytes{carried_[l].work} / BytesPerSecond{bandwidth_[l]});
  }
  return last;
}

void SteppedModel::take_step(double seconds) {
  std::erase_if(busy_, [&](std::uint32_t l) { return links_[l].active == 0; });
  for (const std::uint32_t l : busy_) {
    Step& link = links_[l];
    link.open = link.active;
    link.free = bandwidth_[l] * seconds;
    share_[l] = link.fair_share();
  }
  give_small_flows();
  index_open_flows();
  fill();
  for (const std::uint32_t l : busy_) left_[l] -= bandwidth_[l] * seconds - links_[l].free;
}

void SteppedModel::give(const FlowState& flow, double bytes) {
  for (std::uint32_t h = flow.first; h < flow.last; ++h) {
    Step& link = links_[hops_[h]];
    link.free -= bytes;
    --link.open;
  }
}

void SteppedModel::end(const FlowState& flow) {
  for (std::uint32_t h = flow.first; h < flow.last; ++h) --links_[hops_[h]].active;
}

// A flow with less left than any of its links gives every flow gets all of it. Shares only grow
// by that, so they are looked at anew once.
void SteppedModel::give_small_flows() {
  for (int pass = 0; pass < 2; ++pass) {
    std::size_t kept = 0;
    for (const FlowState flow : flows_) {
      if (flow.left == 0) continue;  // it ended in the last step
      double share = flow.left;
      for (std::uint32_t h = flow.first; h < flow.last; ++h) {
        share = std::min(share, share_[hops_[h]]);
      }
      if (share == flow.left) {
        give(flow, flow.left);
        end(flow);
      } else {
        flows_[kept++] = flow;
      }
    }
    flows_.resize(kept);
    for (const std::uint32_t l : busy_) share_[l] = links_[l].fair_share();
  }
}

void SteppedModel::index_open_flows() {
  std::uint32_t end = 0;
  for (const std::uint32_t l : busy_) {
    open_on_[l] = {end, end};
    end += static_cast<std::uint32_t>(links_[l].open);
  }
  on_link_.resize(end);
  for (std::uint32_t f = 0; f < flows_.size(); ++f) {
    for (std::uint32_t h = flows_[f].first; h < flows_[f].last; ++h) {
      on_link_[open_on_[hops_[h]].end++] = f;
    }
  }
}

// Progressive filling (flow_network.hpp) of what the small flows left.
void SteppedModel::fill() {
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.share != b.share ? a.share > b.share : a.link > b.link;
  };
  given_.assign(flows_.size(), 0);
  heap_.clear();
  for (const std::uint32_t l : busy_) {
    if (links_[l].open > 0) heap_.push_back({share_[l], l});
  }
  std::make_heap(heap_.begin(), heap_.end(), later);
  open_flows_ = flows_.size();
  while (open_flows_ > 0) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Step& link = links_[heap_.back().link];
    Range& flows = open_on_[heap_.back().link];
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
bool SteppedModel::give_open(Range& flows, double share, bool bounded) {
  std::uint32_t kept = flows.first;
  bool any = false;
  for (std::uint32_t i = flows.first; i < flows.end; ++i) {
    const std::uint32_t f = on_link_[i];
    if (given_[f] != 0) continue;
    FlowState& flow = flows_[f];
    const bool ends = flow.left * (1 - 1e-12) <= share;
    if (bounded && !ends) {
      on_link_[kept++] = f;
      continue;
    }
    given_[f] = 1;
    --open_flows_;
    any = true;
    if (ends) end(flow);
    give(flow, ends ? flow.left : share);
    flow.left = ends ? 0 : flow.left - share;
  }
  flows.end = kept;
  return any;
}

}  // namespace moesim
