#include "sim/machine/flow_network.hpp"

#include <algorithm>
#include <limits>

namespace moesim {
namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();

}  // namespace

FlowNetwork::FlowNetwork(const Cluster& cluster, double window)
    : cluster_(&cluster),
      window_(window),
      local_of_(static_cast<std::size_t>(cluster.links()), -1) {}

int FlowNetwork::local(LinkId id) {
  int& number = local_of_[id.index()];
  if (number < 0) {
    number = static_cast<int>(links_.size());
    links_.emplace_back().id = id;
  }
  return number;
}

int FlowNetwork::add(std::span<const LinkId> links, double work) {
  const int number = static_cast<int>(flows_.size());
  FlowState flow;
  flow.left = flow.size = work;
  flow.first = static_cast<std::uint32_t>(hops_.size());
  flow.hops = static_cast<std::uint32_t>(links.size());
  flow.is_active = true;
  for (const LinkId id : links) {
    const int link = local(id);
    hops_.push_back(link);
    ids_.push_back(id);
    links_[static_cast<std::size_t>(link)].flows.push_back(number);
    ++links_[static_cast<std::size_t>(link)].active;
  }
  flows_.push_back(flow);
  active_.push_back(number);
  return number;
}

void FlowNetwork::clear() {
  flows_.clear();
  hops_.clear();
  ids_.clear();
  active_.clear();
  for (LinkState& link : links_) {
    link.flows.clear();
    link.active = 0;
  }
}

void FlowNetwork::leave_links(const FlowState& flow) {
  for (std::uint32_t h = flow.first; h < flow.first + flow.hops; ++h) {
    --links_[static_cast<std::size_t>(hops_[h])].active;
  }
}

void FlowNetwork::remove(int number) {
  FlowState& flow = flows_[static_cast<std::size_t>(number)];
  MOESIM_LAW(flow.is_active, "only an active flow is taken out");
  flow.is_active = false;
  leave_links(flow);
  active_.erase(std::lower_bound(active_.begin(), active_.end(), number));
}

double FlowNetwork::time_left(int number) const {
  const FlowState& flow = flows_[static_cast<std::size_t>(number)];
  if (!flow.is_active) return 0;
  return flow.rate > 0 ? flow.left / flow.rate : kForever;
}

std::span<const LinkId> FlowNetwork::links_of(int number) const {
  const FlowState& flow = flows_[static_cast<std::size_t>(number)];
  return {ids_.data() + flow.first, flow.hops};
}

void FlowNetwork::fix_flows_of(LinkState& link, double share) {
  std::size_t kept = 0;
  for (const int number : link.flows) {
    FlowState& flow = flows_[static_cast<std::size_t>(number)];
    if (!flow.is_active) continue;
    link.flows[kept++] = number;
    if (flow.fixed_in == solves_) continue;
    flow.fixed_in = solves_;
    flow.rate = share;
    --unfixed_;
    for (std::uint32_t h = flow.first; h < flow.first + flow.hops; ++h) {
      LinkState& other = links_[static_cast<std::size_t>(hops_[h])];
      other.share -= share;
      --other.open;
    }
  }
  link.flows.resize(kept);
}

bool FlowNetwork::later(const Candidate& a, const Candidate& b) {
  return a.share != b.share ? a.share > b.share : a.link > b.link;
}

// A share that has grown a little mostly stays near the top: cheaper than out and in again.
void FlowNetwork::sink_top() {
  const Candidate sinks = heap_.front();
  std::size_t at = 0;
  for (std::size_t child = 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && later(heap_[child], heap_[child + 1])) ++child;
    if (!later(sinks, heap_[child])) break;
    heap_[at] = heap_[child];
    at = child;
  }
  heap_[at] = sinks;
}

double FlowNetwork::solve() {
  if (active_.empty()) return kForever;
  ++solves_;
  unfixed_ = active_.size();
  heap_.clear();
  for (std::size_t l = 0; l < links_.size(); ++l) {
    LinkState& link = links_[l];
    if (link.active == 0) continue;
    link.share = cluster_->bandwidth(link.id).value;
    if (!share_.empty()) link.share *= share_[link.id.index()];
    link.open = link.active;
    heap_.push_back({link.share / link.open, static_cast<int>(l)});
  }
  std::make_heap(heap_.begin(), heap_.end(), later);
  // A link's bandwidth per flow only grows as flows elsewhere are fixed: an old entry is a
  // lower bound, and the first one that still holds is the least.
  while (unfixed_ > 0 && !heap_.empty()) {
    Candidate& top = heap_.front();
    LinkState& link = links_[static_cast<std::size_t>(top.link)];
    const double share = link.open > 0 ? std::max(link.share, 0.0) / link.open : 0;
    if (link.open > 0 && share > top.share * (1 + 1e-12)) {
      top.share = share;
      sink_top();
      continue;
    }
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
    if (link.open > 0) fix_flows_of(link, share);
  }
  // Flows over no links end at once.
  ends_.clear();
  for (const int number : active_) {
    FlowState& flow = flows_[static_cast<std::size_t>(number)];
    if (flow.hops == 0) flow.rate = kForever;
    ends_.push_back(flow.rate > 0 ? flow.left / flow.rate : kForever);
  }
  const auto enough = static_cast<std::size_t>(window_ * static_cast<double>(ends_.size()));
  const auto last = ends_.begin() + static_cast<std::ptrdiff_t>(enough > 0 ? enough - 1 : 0);
  // The window is small: nearly all ends are compared once, with the last of it so far.
  std::partial_sort(ends_.begin(), last + 1, ends_.end());
  return *last;
}

}  // namespace moesim
