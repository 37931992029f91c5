#include "sim/machine/group_traffic.hpp"

#include <catch2/catch.hpp>

#include "tests/machine/cases.hpp"
#include "topology/gpu_ranges.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

LinkLedger booked(const Cluster& cluster, const GroupTraffic& traffic, GroupOp op,
                  const std::vector<double>& bytes) {
  LinkLedger ledger(cluster.links());
  traffic.account(op, bytes, ledger);
  return ledger;
}

}  // namespace

TEST_CASE("In a node every GPU sends (n - 1) / n of the buffer, and twice that to reduce") {
  const Cluster cluster = build_cluster(hopper(1));
  for (const int n : {1, 2, 4, 8}) {
    const GroupTraffic traffic(cluster, {gpus_from(GpuId{8 - n}, n)});
    for (const GroupOp op :
         {GroupOp::all_reduce, GroupOp::all_gather, GroupOp::reduce_scatter}) {
      const LinkLedger ledger = booked(cluster, traffic, op, {1e6});
      const double each = (op == GroupOp::all_reduce ? 2e6 : 1e6) * (n - 1) / n;
      for (int g = 0; g < 8; ++g) {
        const GpuPlace& place = cluster.place(GpuId{g});
        const double here = g >= 8 - n ? each : 0;
        CHECK(ledger.bytes(place.up).value == Approx(here));
        CHECK(ledger.bytes(place.down).value == Approx(here));
      }
    }
  }
}

// lanes = 8, nodes = 4: a lane carries 1/8 of the buffer, 3/4 of it from each node to the next.
TEST_CASE("Over nodes every lane's NIC carries its share of the buffer") {
  const Cluster cluster = build_cluster(hopper(4));
  const GroupTraffic traffic(cluster, {gpus_from(GpuId{0}, 32)});
  const LinkLedger ledger = booked(cluster, traffic, GroupOp::all_reduce, {8e6});
  for (const Nic& nic : cluster.nics()) {
    CHECK(ledger.bytes(nic.up).value == Approx(2 * 1e6 * 3 / 4));
    CHECK(ledger.bytes(nic.down).value == Approx(2 * 1e6 * 3 / 4));
  }
}

TEST_CASE("Groups do not mix, and a link that is down carries nothing of theirs") {
  Cluster cluster = build_cluster(hopper(2));
  const GroupTraffic traffic(cluster, {gpus_from(GpuId{0}, 8), gpus_from(GpuId{8}, 8)});
  const LinkLedger one = booked(cluster, traffic, GroupOp::all_gather, {0, 8e6});
  CHECK(one.bytes(cluster.place(GpuId{0}).up).value == 0);
  CHECK(one.bytes(cluster.place(GpuId{8}).up).value == Approx(7e6));

  const GroupTraffic both(cluster, {gpus_from(GpuId{0}, 16)});
  const LinkId down = *cluster.find_link("node1.nic0.down");
  CHECK(booked(cluster, both, GroupOp::all_gather, {8e6}).bytes(down).value > 0);
  cluster.set_scale(down, 0);
  CHECK(booked(cluster, both, GroupOp::all_gather, {8e6}).bytes(down).value == 0);
}

TEST_CASE("What groups send is no work: transfers get as much of the links as without") {
  const Cluster cluster = build_cluster(hopper(1));
  const GroupTraffic traffic(cluster, {gpus_from(GpuId{0}, 8)});
  const LinkLedger ledger = booked(cluster, traffic, GroupOp::all_reduce, {1e6});
  for (const double work : ledger.work()) CHECK(work == 0);
}
