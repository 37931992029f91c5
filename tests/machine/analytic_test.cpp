#include <catch2/catch.hpp>

#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

const auto exact = [](Cluster& cluster) { return make_analytic_machine(cluster); };

constexpr double kNvlink = 450e9;

}  // namespace

TEST_CASE("One flow takes its latency plus bytes over bandwidth") {
  Cluster cluster = build_cluster(hopper(1));
  const auto t = arrivals(cluster, {{GpuId{0}, GpuId{1}, 1_MB}}, exact);
  CHECK(t.at(0) == near(1e-6 + 1e6 / kNvlink));
}

TEST_CASE("Two flows that share a link take twice as long") {
  Cluster cluster = build_cluster(hopper(1));
  const auto t =
      arrivals(cluster, {{GpuId{0}, GpuId{1}, 1_MB}, {GpuId{0}, GpuId{2}, 1_MB}}, exact);
  CHECK(t.at(0) == near(1e-6 + 2e6 / kNvlink));
  CHECK(t.at(1) == near(1e-6 + 2e6 / kNvlink));
}

// n flows are left: the next MB of each takes n MB / bandwidth.
TEST_CASE("An incast of 1 to 7 MB ends flow by flow from 16.5556 to 63.2222 us") {
  Cluster cluster = build_cluster(hopper(1));
  std::vector<Flow> flows;
  for (int i = 1; i <= 7; ++i) flows.push_back({GpuId{i}, GpuId{0}, Bytes{i * 1e6}});
  const auto t = arrivals(cluster, flows, exact);
  double expected = 1e-6;
  for (int i = 0; i < 7; ++i) {
    expected += (7 - i) * 1e6 / kNvlink;
    CHECK(t.at(static_cast<std::size_t>(i)) == near(expected));
  }
  CHECK(t.front() * 1e6 == Approx(16.5556).epsilon(1e-5));
  CHECK(t.back() * 1e6 == Approx(63.2222).epsilon(1e-5));
}

TEST_CASE("Zero bytes and data to self arrive, after the latency alone") {
  Cluster cluster = build_cluster(hopper(1));
  const auto t =
      arrivals(cluster, {{GpuId{0}, GpuId{1}, 0_B}, {GpuId{2}, GpuId{2}, 5_MB}}, exact);
  CHECK(t.at(0) == near(1e-6));
  CHECK(t.at(1) == 0);
}

TEST_CASE("A link at half bandwidth from the middle makes the second half twice as long") {
  Cluster cluster = build_cluster(hopper(1));
  const auto machine = exact(cluster);
  double end = 0;
  machine->start({{GpuId{0}, GpuId{1}, 45_MB}},
                 [&](std::span<const Seconds> finish) { end = finish[0].value; });
  const LinkId link = *cluster.find_link("node0.gpu1.nvlink.down");
  machine->at(51_us, [&] { machine->set_scale(link, 0.5); });
  machine->run();
  CHECK(end == near(1e-6 + 50e-6 + 100e-6));
}

TEST_CASE("Data on a link that dies goes on another way from the point reached") {
  Cluster cluster = build_cluster(hopper(2));
  const auto machine = exact(cluster);
  double end = 0;
  machine->start({{GpuId{0}, GpuId{8}, 10_MB}},
                 [&](std::span<const Seconds> finish) { end = finish[0].value; });
  machine->at(100_us, [&] { machine->set_scale(*cluster.find_link("node0.nic0.up"), 0); });
  machine->run();
  // The way around has the same narrowest bandwidth: no time is lost in this model.
  CHECK(end == near(4.5e-6 + 10e6 / 50e9));
}

TEST_CASE("Losing the last way in the middle says what is cut off") {
  ClusterOptions options = hopper(1);
  options.fabric = "single_node";
  Cluster cluster = build_cluster(options);
  const auto machine = exact(cluster);
  machine->start({{GpuId{0}, GpuId{1}, 10_MB}}, [](std::span<const Seconds>) {});
  machine->at(2_us, [&] { machine->set_scale(*cluster.find_link("node0.gpu0.nvlink.up"), 0); });
  CHECK_THROWS_WITH(machine->run(), Catch::Contains("node0.gpu0 cannot reach node0.gpu1"));
}

TEST_CASE("Timers fire in order of time, equal times in the order they were set") {
  const auto machine = make_analytic_machine();
  std::vector<int> order;
  machine->at(2_us, [&] { order.push_back(3); });
  machine->at(1_us, [&] { order.push_back(1); });
  machine->at(1_us, [&] {
    order.push_back(2);
    machine->after(1_us, [&] { order.push_back(4); });
  });
  machine->at(3_us, [&] { machine->stop(); });
  machine->at(4_us, [&] { order.push_back(5); });
  machine->run();
  CHECK(order == std::vector<int>{1, 2, 3, 4});
  CHECK(machine->now().value == Approx(3e-6));
}
