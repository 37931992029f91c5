// What a cluster's network can do, without any traffic of a scenario.
#pragma once

#include <string>
#include <vector>

#include "topology/cluster.hpp"

namespace moesim {

struct LinkClass {
  LinkKind kind = LinkKind::nvlink;
  int links = 0;  // directions
  BytesPerSecond each_least{0};
  BytesPerSecond all{0};
};

struct HotLink {
  LinkId link;
  double share = 0;  // of the busiest link's time
};

struct NetworkSummary {
  std::vector<LinkClass> classes;
  BytesPerSecond bisection{0};   // max-flow from the first half of the GPUs to the second
  double oversubscription = 1;   // what the first half's NICs could send / bisection
  BytesPerSecond all_to_all{0};  // per GPU, every GPU to every other alike, busiest link full
  std::vector<HotLink> hot;      // of an even all-to-all, at most 8
  std::vector<std::string> single_points;  // whose loss cuts GPUs off from each other
};

// The `count` links that need most time for their bytes [links], busiest first.
std::vector<HotLink> hottest(const Cluster& cluster, const std::vector<double>& bytes,
                             std::size_t count);

NetworkSummary analyse(const Cluster& cluster);

// Bytes per second from the GPUs in `from` to those in `to`, all paths used (max-flow).
BytesPerSecond max_flow(const Cluster& cluster, const std::vector<GpuId>& from,
                        const std::vector<GpuId>& to);
// Switches, NICs and GPUs whose loss cuts the rest apart (articulation points).
std::vector<std::string> single_points_of_failure(const Cluster& cluster);

}  // namespace moesim
