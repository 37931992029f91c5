// The lower bound as a model: no collective ends before its busiest link has carried
// everything, and no link starts before the first of its pairs has passed its latency.
#pragma once

#include <vector>

#include "sim/machine/access.hpp"
#include "sim/machine/collective.hpp"

namespace moesim {

// What every link carries of a collective.
struct CollectiveLoads {
  struct Load {
    LinkId link;
    double bytes;
    double work;        // bytes over the transport's efficiency
    Seconds latency;    // before the first byte can arrive here: the shortest of its pairs
    double handed = 0;  // of the work: what comes by way of another GPU ...
    Seconds handed_latency{0};  // ... and later
  };
  std::vector<Load> loads;
};

class BoundModel : public CollectiveModel {
 public:
  Outcome time(const Traffic& traffic, LinkLedger* ledger = nullptr,
               Seconds start = Seconds{0}) override;

  // Valid until the next call. From sums where the fabric allows, else path by path.
  const CollectiveLoads& loads(const Traffic& traffic);
  // How long the links inside domains are busy with the collective last timed.
  [[nodiscard]] Seconds busy_inside(const Cluster& cluster) const;

 private:
  void from_sums(const Traffic& traffic);
  void from_flows(const Traffic& traffic);
  void go_around(const Traffic& traffic);
  // `shortest`: latency of ways over no other GPU.
  void send(const Path& path, double bytes, double work, Seconds shortest);
  void clear(const Cluster& cluster);
  void collect(const Cluster& cluster, Seconds handed_latency);

  AccessSums sums_;
  CollectiveLoads loads_;
  std::vector<double> bytes_;     // [links]
  std::vector<double> work_;      // [links]
  std::vector<double> handed_;    // [links] of the work
  std::vector<Seconds> latency_;  // [links]
};

}  // namespace moesim
