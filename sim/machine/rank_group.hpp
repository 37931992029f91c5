// The GPUs of one EP group (or any communicator) as the network sees them: prepared once, then
// read by every collective.
//
// A domain is a set of GPUs that reach each other without a NIC. A GPU's lane is its index in
// its domain: relayed traffic lands on the GPU of the sender's lane.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/machine/pair_paths.hpp"
#include "topology/cluster.hpp"

namespace moesim {

struct RankPair {
  int from, to;
};

class RankGroup {
 public:
  RankGroup(const Cluster& cluster, std::vector<GpuId> gpus);

  [[nodiscard]] const Cluster& cluster() const { return *cluster_; }
  // Of the first rank: what the group's collectives were measured on.
  [[nodiscard]] const std::string& gpu_name() const {
    return cluster_->gpu(gpus_.front()).name;
  }
  [[nodiscard]] int ranks() const { return static_cast<int>(gpus_.size()); }
  [[nodiscard]] int domains() const { return domains_; }
  [[nodiscard]] int lanes() const { return lanes_; }  // of the largest domain
  [[nodiscard]] std::span<const GpuId> gpus() const { return gpus_; }
  [[nodiscard]] std::span<const int> domain_of() const { return domain_; }  // [ranks], from 0
  [[nodiscard]] std::span<const int> lane_of() const { return lane_; }      // [ranks]
  // The rank on which a lane's traffic into a domain lands.
  [[nodiscard]] int relay(int domain, int lane) const;
  // Ranks are domain by domain, all domains have `lanes` GPUs: rank = domain * lanes + lane.
  [[nodiscard]] bool is_grid() const { return grid_; }
  // On a grid with rails: the lane is the rail, and data to another lane leaves by its NIC.
  [[nodiscard]] bool forwards() const { return forwards_; }
  // Loads of access links alone (NVLink, PCIe, NIC) bound any traffic between these GPUs.
  [[nodiscard]] bool access_bound(bool relayed) const {
    return grid_ && (relayed ? relayed_access_ : direct_access_);
  }
  // No GPU's link inside its domain can hold up the NICs by which it forwards: the bound of
  // access links is then the makespan to 2 %.
  [[nodiscard]] bool feeds_nics() const { return feeds_nics_; }
  [[nodiscard]] Seconds local_latency() const { return local_latency_; }      // shortest
  [[nodiscard]] Seconds network_latency() const { return network_latency_; }  // shortest
  // Shortest of those that cross another GPU's NIC, where the group forwards.
  [[nodiscard]] Seconds forwarded_latency() const { return forwarded_latency_; }
  [[nodiscard]] std::size_t pair(int from, int to) const {  // into paths()
    return static_cast<std::size_t>(from) * gpus_.size() + static_cast<std::size_t>(to);
  }
  // As they are now; walked when first asked for and after links went down or came back.
  [[nodiscard]] const PairPaths& paths() const {
    if (!paths_.holds(*cluster_)) paths_.walk(*cluster_, gpus_);
    return paths_;
  }
  // Pairs of ranks whose planned way is cut, so that they go around; on computed fabrics.
  [[nodiscard]] std::span<const RankPair> detours() const;

 private:
  void index_domains();
  void look_at_fabric();
  void measure_latencies();

  const Cluster* cluster_;
  std::vector<GpuId> gpus_;
  std::vector<int> domain_;
  std::vector<int> lane_;
  std::vector<std::vector<int>> members_;  // [domains] ranks
  int domains_ = 0;
  int lanes_ = 0;
  bool grid_ = false;
  bool forwards_ = false;
  bool relayed_access_ = false;
  bool feeds_nics_ = true;
  bool direct_access_ = false;
  Seconds local_latency_{0};
  Seconds network_latency_{0};
  Seconds forwarded_latency_{0};
  mutable PairPaths paths_;
  mutable std::vector<RankPair> detours_;
  mutable int detours_of_ = 0;  // Cluster::reroutes when they were looked for
};

}  // namespace moesim
