#include "sim/machine/group_collective.hpp"

#include <catch2/catch.hpp>

#include "tests/machine/cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

RankGroup first(const Cluster& cluster, int gpus) {
  std::vector<GpuId> list;
  for (int g = 0; g < gpus; ++g) list.emplace_back(g);
  return RankGroup(cluster, list);
}

}  // namespace

TEST_CASE("Group collectives take longer with more bytes, more ranks and more nodes") {
  const Cluster cluster = build_cluster(hopper(4));
  const GroupCollectives measured("h200-sxm");
  for (const GroupOp op : {GroupOp::all_reduce, GroupOp::all_gather, GroupOp::reduce_scatter}) {
    for (const Bytes bytes : {64_KiB, 16_MiB, 512_MiB}) {
      Seconds before{0};
      for (const int gpus : {2, 8, 16, 32}) {
        const Seconds now = measured.time(op, first(cluster, gpus), bytes).time;
        INFO(gpus << " GPUs, " << bytes.value << " bytes");
        CHECK(now > before * 0.8);  // measured curves of 2, 4 and 8 cross for small sizes
        before = now;
      }
    }
    CHECK(measured.time(op, first(cluster, 8), 1_GiB).time >
          measured.time(op, first(cluster, 8), 1_MiB).time);
  }
  CHECK(measured.time(GroupOp::all_reduce, first(cluster, 1), 1_GiB).time.value == 0);
}

TEST_CASE("An all-reduce inside a node is measured, across nodes extrapolated") {
  const Cluster cluster = build_cluster(hopper(2));
  const GroupCollectives h200("h200-sxm");
  const GroupTime in = h200.time(GroupOp::all_reduce, first(cluster, 8), 1_MiB);
  CHECK(in.provenance == Provenance::measured);
  CHECK(in.time > 5_us);
  CHECK(in.time < 40_us);
  const GroupTime out = h200.time(GroupOp::all_reduce, first(cluster, 16), 1_MiB);
  CHECK(out.provenance == Provenance::extrapolated);
  CHECK(out.time > in.time);
  CHECK(GroupCollectives("unheard-of")
            .time(GroupOp::all_reduce, first(cluster, 8), 1_MiB)
            .provenance == Provenance::assumed);
}

// latency 4.5 us + 1 MB / 50 GB/s
TEST_CASE("Point to point takes the path's latency plus bytes over its narrowest link") {
  Cluster cluster = build_cluster(hopper(2));
  CHECK(point_to_point(cluster, GpuId{0}, GpuId{8}, 1_MB).value == Approx(24.5e-6));
  cluster.set_scale(*cluster.find_link("node1.nic0.down"), 0.5);
  CHECK(point_to_point(cluster, GpuId{0}, GpuId{8}, 1_MB).value == Approx(44.5e-6));
}
