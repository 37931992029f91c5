// Loads of the links at the GPUs from row and column sums: O(groups x ranks) instead of
// O(ranks x ranks x path). Exact on grids (RankGroup::is_grid).
#pragma once

#include <vector>

#include "sim/machine/traffic.hpp"

namespace moesim {

// Per rank, as data flows; bytes, and work (bytes over efficiency).
struct AccessLoads {
  struct Load {
    double bytes = 0;
    double work = 0;
  };
  struct Side {
    std::vector<Load> local;    // [ranks] through the NVSwitch
    std::vector<Load> network;  // [ranks] through the NIC
  };
  Side out, in;
  bool any_local = false;
  bool any_network = false;
};

// Reuses its buffers: nothing is allocated after the first call for a group.
class AccessSums {
 public:
  const AccessLoads& sum(const Traffic& traffic);

 private:
  struct Leaving {
    double all = 0;  // bytes that leave by a rank's NIC
    double own = 0;  // those of the rank itself
  };
  // Relayed traffic: bytes that land at a rank's NIC, that it hands on and gets in its domain.
  struct Relay {
    double landing = 0;
    double handing = 0;
    double getting = 0;
  };
  void weigh(const Traffic& t);
  void arrivals(const Traffic& t);
  void direct(const Traffic& t);
  void relayed(const Traffic& t);
  void padded(const Traffic& t);
  void hand_over(const Traffic& t, std::size_t r, Leaving leaving);
  void leave(const Traffic& t);
  void leave_backward(const Traffic& t);
  AccessLoads::Side& source_side(const Traffic& t);
  AccessLoads::Side& expert_side(const Traffic& t);
  void balance();

  AccessLoads loads_;
  std::vector<double> weight_;         // [groups] of all ranks
  std::vector<double> domain_weight_;  // [groups * domains]
  std::vector<double> lane_weight_;    // [groups * lanes]
  std::vector<double> row_;            // [groups] sum of shares
  std::vector<double> domain_share_;   // [groups * domains]
  std::vector<double> lane_share_;     // [groups * lanes]
  std::vector<double> in_;             // [ranks] from everywhere
  std::vector<double> near_in_;        // [ranks] from the own domain
  std::vector<Leaving> leaving_;       // [ranks]
  std::vector<Relay> relays_;          // [ranks]
};

}  // namespace moesim
