// Loads of the links at the GPUs from row and column sums: O(ranks + cells of the shares)
// instead of O(ranks x ranks x path). Exact on grids (RankGroup::is_grid).
#pragma once

#include <vector>

#include "sim/machine/traffic.hpp"

namespace moesim {

// Per rank, as data flows; bytes, and work (bytes over efficiency).
struct AccessLoads {
  struct Load {
    double bytes = 0;
    double work = 0;
    double handed = 0;  // of the work, by a NIC: from GPUs of other lanes, over the NVSwitch

    void put(double more, double inverse_efficiency) {
      bytes += more;
      work += more * inverse_efficiency;
    }
  };
  struct Side {
    std::vector<Load> local;    // [ranks] through the NVSwitch
    std::vector<Load> network;  // [ranks] through the NIC
  };
  Side out, in;
  bool any_local = false;
  double least = 0;  // bytes: less is a residue of rounding, not traffic
};

// Reuses its buffers: nothing is allocated after the first call for a group.
class AccessSums {
 public:
  const AccessLoads& sum(const Traffic& traffic);

 private:
  struct OwnLane {  // bytes between a rank and those of its lane in other domains
    double sent = 0;
    double got = 0;
  };
  // The sources of one domain that share a row.
  struct Home {
    std::size_t group;
    std::size_t domain;
    double weight;    // bytes of their tokens
    double near = 0;  // of a token, to all ranks of the domain
  };
  void weigh(const Traffic& t);
  void find_homes(const Traffic& t);
  void expand_homes(const Traffic& t);
  void arrivals(const Traffic& t);
  void by_lane(const Traffic& t);
  void landings(const Traffic& t);
  void direct(const Traffic& t);
  void relayed(const Traffic& t);
  void padded(const Traffic& t);
  void hand_over(std::size_t r);
  void lane_shares(const Traffic& t);
  void meet_own_lane(const Traffic& t);
  void leave(const Traffic& t);
  void leave_backward(const Traffic& t);
  [[nodiscard]] double self(std::size_t r, std::size_t lanes) const {
    return home_share_[home_of_[r] * lanes + r % lanes];
  }
  AccessLoads::Side& source_side(const Traffic& t);
  AccessLoads::Side& expert_side(const Traffic& t);
  void balance();

  AccessLoads loads_;
  double local_inverse_ = 1;  // 1 / efficiency
  double network_inverse_ = 1;
  double all_weight_ = 0;
  std::vector<double> weight_;        // [groups] of all ranks
  std::vector<double> lane_weight_;   // [groups * lanes]
  std::vector<double> lane_all_;      // [lanes] of all groups
  std::vector<Home> homes_;           // domain by domain
  std::vector<std::size_t> home_of_;  // [ranks]
  std::vector<double> home_share_;    // [homes * lanes] of a token, to the ranks of the domain
  std::vector<double> row_;           // [groups] sum of shares
  std::vector<double> lane_share_;    // [groups * lanes]
  std::vector<double> in_;            // [ranks] from everywhere
  std::vector<double> near_in_;       // [ranks] from the own domain
  std::vector<double> leaving_;       // [ranks] bytes by the rank's NIC, whosever they are
  std::vector<OwnLane> own_;          // [ranks]
  std::vector<double> lane_to_domain_;  // [ranks] from the rank's lane to its domain
  std::vector<double> lane_to_rank_;    // [ranks] from the rank's lane to itself
  std::vector<double> landing_;         // [ranks] relayed from the rank's lane to its domain
};

}  // namespace moesim
