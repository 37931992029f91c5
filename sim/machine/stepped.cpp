#include "sim/machine/stepped.hpp"

#include <algorithm>

#include "sim/machine/rank_flows.hpp"

namespace moesim {
namespace {

constexpr double kUnbound = 1e200;  // bytes/s
// Of the whole: that little is taken to end with its busiest link ...
constexpr double kTail = 0.005;
// ... and that long flows wait for those that come in next.
constexpr double kShort = 0.002;

}  // namespace

Outcome SteppedModel::time(const Traffic& traffic, LinkLedger* ledger, Seconds start) {
  gather(traffic);
  const Busiest whole = busiest();
  Outcome out;
  out.makespan = traffic.overhead;
  if (!used_.empty()) {
    out.makespan += std::max(share_links(whole.seconds), bound());
    out.busiest = LinkId{static_cast<int>(whole.link)};
    out.utilization = whole.seconds / out.makespan.value;
  }
  if (ledger != nullptr) {
    ledger->open(start, start + out.makespan);
    for (const std::uint32_t l : used_) {
      ledger->add(LinkId{static_cast<int>(l)}, carried_[l].bytes, carried_[l].work);
    }
  }
  return out;
}

// Flows of one latency come in together, when it has passed; a step ends there.
Seconds SteppedModel::share_links(double whole) {
  double now = 0;
  double left = 0;
  for (std::size_t c = 0; c < latencies_.size(); ++c) {
    if (waiting_[c].empty()) continue;
    while (left > 0 && latencies_[c].value - now > kShort * whole) {
      const double until = latencies_[c].value - now;
      const double seconds =
          left > kTail * whole ? std::min(step_seconds(left, whole), until) : until;
      flows_->take_step(links_, seconds);
      left = longest_left();
      now = seconds < until ? now + seconds : latencies_[c].value;
    }
    now = latencies_[c].value;
    enter(c);
    left = longest_left();
  }
  while (left > kTail * whole) {
    const double seconds = step_seconds(left, whole);
    flows_->take_step(links_, seconds);
    now += seconds;
    left = longest_left();
  }
  return Seconds{now + left};
}

void SteppedModel::prepare(const PairPaths& paths, std::size_t links) {
  if (width_ != paths.width()) flows_ = make_step_flows(paths.width());
  width_ = paths.width();
  flows_->clear();
  paths_ = &paths;
  latencies_ = paths.latencies();
  waiting_.resize(std::max(waiting_.size(), latencies_.size()));
  for (std::vector<Waiting>& of_class : waiting_) of_class.clear();
  links_.links.assign(links + 1, {});
  links_.left.assign(links + 1, 0.0);
  links_.bandwidth.resize(links + 1);
  carried_.assign(links + 1, {});
  of_class_.assign((links + 1) * latencies_.size(), {});
  used_.clear();
}

void SteppedModel::gather(const Traffic& traffic) {
  const Cluster& cluster = traffic.ranks->cluster();
  const PairPaths& paths = traffic.ranks->paths();
  prepare(paths, static_cast<std::size_t>(cluster.links()));
  const std::size_t classes = latencies_.size();
  each_rank_flow(traffic, [&](const RankFlow& moved) {
    const auto pair = static_cast<std::uint32_t>(traffic.ranks->pair(moved.from, moved.to));
    const std::size_t latency = paths.latency_class(pair);
    waiting_[latency].push_back({moved.work, pair});
    const std::uint32_t* hops = paths.hops(pair);
    for (int h = 0; h < width_; ++h) {
      carried_[hops[h]].bytes += moved.bytes;
      OfClass& link = of_class_[hops[h] * classes + latency];
      link.work += moved.work;
      ++link.flows;
    }
  });
  const auto none = static_cast<std::uint32_t>(cluster.links());
  for (std::uint32_t l = 0; l < none; ++l) {
    if (carried_[l].bytes <= 0) continue;
    used_.push_back(l);
    links_.bandwidth[l] = cluster.bandwidth(LinkId{static_cast<int>(l)}).value;
    for (std::size_t c = 0; c < classes; ++c)
      carried_[l].work += of_class_[l * classes + c].work;
  }
  links_.bandwidth[none] = kUnbound;
}

void SteppedModel::enter(std::size_t latency_class) {
  for (const Waiting& flow : waiting_[latency_class]) {
    flows_->add(flow.work, paths_->hops(flow.pair));
  }
  links_.busy = used_;
  links_.busy.push_back(static_cast<std::uint32_t>(links_.links.size() - 1));
  for (const std::uint32_t l : links_.busy) {
    const OfClass& more = of_class_[l * latencies_.size() + latency_class];
    links_.links[l].active += more.flows;
    links_.left[l] += more.work;
  }
}

SteppedModel::Busiest SteppedModel::busiest() const {
  Busiest most;
  for (const std::uint32_t l : used_) {
    const double seconds = carried_[l].work / links_.bandwidth[l];
    if (seconds > most.seconds) most = {l, seconds};
  }
  return most;
}

double SteppedModel::longest_left() const {
  double most = 0;
  for (const std::uint32_t l : links_.busy) {
    if (links_.links[l].active == 0) continue;
    most = std::max(most, links_.left[l] / links_.bandwidth[l]);
  }
  return most;
}

// No link ends before the flows from some latency on have crossed it.
Seconds SteppedModel::bound() const {
  Seconds last{0};
  for (const std::uint32_t l : used_) {
    Bytes work{0};
    for (std::size_t c = latencies_.size(); c-- > 0;) {
      const OfClass& here = of_class_[l * latencies_.size() + c];
      if (here.flows == 0) continue;
      work += Bytes{here.work};
      last = std::max(last, latencies_[c] + work / BytesPerSecond{links_.bandwidth[l]});
    }
  }
  return last;
}

}  // namespace moesim
