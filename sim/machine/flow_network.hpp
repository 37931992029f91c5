// Max-min fair sharing of links by progressive filling: the link with the least bandwidth per
// flow fixes the rate of its flows, and so on with what is left (Bertsekas and Gallager, Data
// Networks, section 6.5.2).
//
// Rates are solved anew when a fraction `window` of the active flows has ended, not at every
// end: until then what an ended flow used stays idle. 0 is exact.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

class FlowNetwork {
 public:
  // `cluster` outlives this object; link scales are read at every solve.
  FlowNetwork(const Cluster& cluster, double window);

  // What others leave of every link's bandwidth, from the next solve on. [links]
  void leave(std::span<const double> share) { share_.assign(share.begin(), share.end()); }

  // A flow of `work` bytes over `links`, active from now on. The result counts up from 0 since
  // the last clear(). A flow over no links ends at once.
  int add(std::span<const LinkId> links, double work);
  void clear();

  // Solves the rates; the result is how long they hold: until enough flows have ended.
  // Infinite when nothing is active.
  double solve();
  // Time passes at the solved rates. Calls ended(flow, seconds) for each flow that ended, in
  // order of flows, with how long ago after the advance began.
  template <class Ended>
  void advance(double seconds, Ended ended);

  [[nodiscard]] int active() const { return static_cast<int>(active_.size()); }
  [[nodiscard]] double left(int flow) const {
    return flows_[static_cast<std::size_t>(flow)].left;
  }
  // The same some seconds later, at the solved rates.
  [[nodiscard]] double left_after(int flow, double seconds) const {
    const FlowState& state = flows_[static_cast<std::size_t>(flow)];
    return std::max(0.0, state.left - state.rate * seconds);
  }
  // How long until the flow ends at its present rate.
  [[nodiscard]] double time_left(int flow) const;
  [[nodiscard]] std::span<const LinkId> links_of(int flow) const;
  // Takes an active flow out, for example to send the rest another way.
  void remove(int flow);
  [[nodiscard]] std::span<const int> active_flows() const { return active_; }

 private:
  struct FlowState {
    double left = 0;
    double rate = 0;
    double size = 0;
    std::uint32_t first = 0;  // into hops_
    std::uint32_t hops = 0;
    bool is_active = false;
    std::uint64_t fixed_in = 0;  // the solve that set the rate
  };
  struct LinkState {
    LinkId id;
    int active = 0;          // flows
    double share = 0;        // scratch of solve: bandwidth left
    int open = 0;            // scratch of solve: flows without a rate
    std::vector<int> flows;  // ended ones are dropped when next seen
  };
  struct Candidate {
    double share;
    int link;
  };
  static bool later(const Candidate& a, const Candidate& b);
  void sink_top();
  int local(LinkId id);
  void fix_flows_of(LinkState& link, double share);
  void leave_links(const FlowState& flow);

  const Cluster* cluster_;
  double window_;
  std::uint64_t solves_ = 0;
  std::size_t unfixed_ = 0;
  std::vector<FlowState> flows_;
  std::vector<int> hops_;    // local link numbers
  std::vector<LinkId> ids_;  // the same as link ids
  std::vector<int> active_;  // flow numbers, ascending
  std::vector<LinkState> links_;
  std::vector<int> local_of_;  // by LinkId; -1: not used yet
  std::vector<Candidate> heap_;
  std::vector<double> ends_;
  std::vector<double> share_;  // [links] that others leave; empty: all
};

template <class Ended>
void FlowNetwork::advance(double seconds, Ended ended) {
  std::size_t kept = 0;
  for (const int number : active_) {
    FlowState& flow = flows_[static_cast<std::size_t>(number)];
    const double left = flow.left - flow.rate * seconds;
    if (left > 1e-12 * flow.size) {
      flow.left = left;
      active_[kept++] = number;
      continue;
    }
    const double took = flow.rate > 0 ? flow.left / flow.rate : 0;
    flow.left = 0;
    flow.is_active = false;
    leave_links(flow);
    ended(number, took);
  }
  active_.resize(kept);
}

}  // namespace moesim
