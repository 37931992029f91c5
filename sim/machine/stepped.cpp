#include "sim/machine/stepped.hpp"

#include <algorithm>

#include "sim/machine/rank_flows.hpp"

namespace moesim {
namespace {

constexpr double kUnbound = 1e200;  // bytes/s
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
    flows_->take_step(links_, seconds);
    now += seconds;
    left = busiest();
  }
  Outcome out;
  if (!used_.empty()) {
    // A link that others held up ends with the flows that came last.
    const Carried& last = carried_[left.link];
    const double bandwidth = links_.bandwidth[left.link];
    const Seconds took{now + left.seconds};
    const Seconds idle = took - Bytes{last.work} / BytesPerSecond{bandwidth};
    const Seconds end = took + std::min(last.start(bandwidth) + idle, last.latest);
    out.makespan = traffic.overhead + std::max({end, at_least, longest_});
    out.busiest = LinkId{static_cast<int>(whole.link)};
    out.utilization = whole.seconds / out.makespan.value;
  } else {
    out.makespan = traffic.overhead;
  }
  if (ledger != nullptr) {
    ledger->open(start, start + out.makespan);
    for (const std::uint32_t l : used_) {
      ledger->add(LinkId{static_cast<int>(l)}, carried_[l].bytes, carried_[l].work);
    }
  }
  return out;
}

Seconds SteppedModel::Carried::start(double bandwidth) const {
  return std::max(soonest, latest - Bytes{work - late} / BytesPerSecond{bandwidth});
}

void SteppedModel::prepare(const PairPaths& paths, std::size_t links) {
  if (width_ != paths.width()) flows_ = make_step_flows(paths.width());
  width_ = paths.width();
  flows_->clear();
  links_.links.assign(links + 1, {});
  links_.left.resize(links + 1);
  links_.bandwidth.resize(links + 1);
  carried_.assign(links + 1, {});
  work_.assign((links + 1) * paths.latencies().size(), 0.0);
  used_.clear();
  longest_ = Seconds{0};
}

void SteppedModel::gather(const Traffic& traffic) {
  const Cluster& cluster = traffic.ranks->cluster();
  const PairPaths& paths = traffic.ranks->paths();
  prepare(paths, static_cast<std::size_t>(cluster.links()));
  const std::size_t classes = paths.latencies().size();
  each_rank_flow(traffic, [&](const RankFlow& moved) {
    const std::size_t pair = traffic.ranks->pair(moved.from, moved.to);
    const std::size_t latency = paths.latency_class(pair);
    const std::uint32_t* hops = paths.hops(pair);
    flows_->add(moved.work, hops);
    for (int h = 0; h < width_; ++h) {
      ++links_.links[hops[h]].active;
      carried_[hops[h]].bytes += moved.bytes;
      work_[hops[h] * classes + latency] += moved.work;
    }
  });
  sum_up(cluster, paths);
}

void SteppedModel::sum_up(const Cluster& cluster, const PairPaths& paths) {
  const auto none = static_cast<std::uint32_t>(cluster.links());
  const std::size_t classes = paths.latencies().size();
  for (std::uint32_t l = 0; l < none; ++l) {
    if (links_.links[l].active == 0) continue;
    used_.push_back(l);
    Carried& link = carried_[l];
    for (std::size_t c = 0; c < classes; ++c) {
      const double work = work_[l * classes + c];
      if (work <= 0) continue;
      if (link.work == 0) link.soonest = paths.latencies()[c];
      link.work += work;
      link.late = work;
      link.latest = paths.latencies()[c];
    }
    longest_ = std::max(longest_, link.latest);
    links_.left[l] = link.work;
    links_.bandwidth[l] = cluster.bandwidth(LinkId{static_cast<int>(l)}).value;
  }
  links_.busy = used_;
  links_.bandwidth[none] = kUnbound;
  if (links_.links[none].active > 0) links_.busy.push_back(none);
}

SteppedModel::Busiest SteppedModel::busiest() const {
  Busiest most;
  for (const std::uint32_t l : links_.busy) {
    if (links_.links[l].active == 0) continue;
    const double seconds = links_.left[l] / links_.bandwidth[l];
    if (seconds > most.seconds) most = {l, seconds};
  }
  return most;
}

// Before anything is shared.
Seconds SteppedModel::bound() const {
  Seconds last{0};
  for (const std::uint32_t l : used_) {
    const double bandwidth = links_.bandwidth[l];
    last = std::max(last, carried_[l].start(bandwidth) +
                              Bytes{carried_[l].work} / BytesPerSecond{bandwidth});
  }
  return last;
}

}  // namespace moesim
