// Bulk data beside the steps of a serving system: KV on its way to another pool, experts that
// move. It shares links with itself and with the collectives of the steps.
//
// One flow is all that a transfer, or a collective, has for one GPU from one other GPU. On a
// link every flow has the same right (max-min):
//
//   a collective gets n / (n + c) of a link that n of its flows and c transfers cross, or what
//   the transfers cannot use (shared_collectives.hpp);
//   transfers get what collectives leave, spread evenly over the step:
//   1 - work / (bandwidth x length of the step).
//
// So no link ever carries more than its bandwidth. A step is priced when it begins: a transfer
// that starts later gets what that step leaves it, and slows the next.
#pragma once

#include <span>
#include <vector>

#include "sim/machine/ledger.hpp"
#include "sim/machine/machine.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// What transfers want of one link.
struct LinkWant {
  LinkId link;
  int flows = 0;
  Seconds left{0};   // bytes that have not crossed it, over its bandwidth
  double share = 0;  // of its bandwidth, that they could use if no collective did
};

class Transfers {
 public:
  // `instances` step beside the transfers. References outlive this.
  Transfers(Machine& machine, Cluster& cluster, LinkLedger& ledger, int instances);

  // As Machine::start; the bytes are booked when they have arrived.
  void start(std::vector<Flow> flows, Machine::FlowsDone done);
  // Books bytes that travelled over [start, finish[i]].
  void book(std::span<const Flow> flows, std::span<const Seconds> finish, Seconds start);
  [[nodiscard]] bool any() const { return running_ > 0; }
  // Latency and bytes over the narrowest of what collectives now leave of the path's links.
  [[nodiscard]] Seconds alone(const Flow& flow);

  // Links that transfers cross now, by number. Valid until the next call.
  std::span<const LinkWant> wants();

  // Around the pricing of an instance's step, which books its collectives' work.
  void open_step();
  void close_step(int instance, Seconds takes);
  // The instance sends nothing until its next step.
  void idle(int instance);

  [[nodiscard]] Cluster& cluster() { return cluster_; }

 private:
  struct Use {
    std::size_t link;
    double share;  // of the bandwidth, over the step
  };
  void tell_machine();
  // [links] of the bandwidth, that the steps in hand leave.
  std::span<const double> shares_left();

  Machine& machine_;
  Cluster& cluster_;
  LinkLedger& ledger_;
  int running_ = 0;                     // batches
  std::vector<double> before_;          // [links] work booked when the step was opened
  std::vector<std::vector<Use>> used_;  // [instances] by their steps in hand
  std::vector<double> left_;            // [links] that all of them leave
  bool left_holds_ = false;
  std::vector<LinkWant> wants_;
  std::vector<int> want_of_;  // [links] into wants_; -1: none
};

}  // namespace moesim
