// Ranks are GPUs one after the other.
#include "topology/gpu_ranges.hpp"

#include <catch2/catch.hpp>

using namespace moesim;
using namespace moesim::literals;

TEST_CASE("groups of consecutive GPUs laid end to end are the GPUs from the first on") {
  for (const int size : {1, 2, 8}) {
    std::vector<GpuId> joined;
    for (const auto& group : groups_from(GpuId{4}, size, 3)) {
      CHECK(group.size() == static_cast<std::size_t>(size));
      joined.insert(joined.end(), group.begin(), group.end());
    }
    CHECK(joined == gpus_from(GpuId{4}, 3 * size));
  }
  CHECK(gpus_from(GpuId{4}, 0).empty());
}

TEST_CASE("the least memory is that of the asked GPUs, wherever the small one is") {
  ClusterOptions options;
  for (const Bytes memory : {Bytes{141_GB}, Bytes{80_GB}}) {
    NodeGroupOptions group;
    group.name = group.gpu.name = memory == 80_GB ? "small" : "large";
    group.gpu.memory = memory;
    group.node.nvlink_bandwidth = 450_GBps;
    group.node.nic_bandwidth = 50_GBps;
    options.groups.push_back(group);
  }
  const Cluster cluster = build_cluster(options);
  CHECK(least_memory(cluster, gpus_from(GpuId{0}, 8)) == 141_GB);
  CHECK(least_memory(cluster, gpus_from(GpuId{0}, 9)) == 80_GB);
  CHECK(least_memory(cluster, gpus_from(GpuId{8}, 8)) == 80_GB);
}
