#include "sim/simgrid/machine.hpp"

#include <catch2/catch.hpp>

#include "sim/simgrid/in_child.hpp"
#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

// A case on SimGrid, in a process of its own.
std::vector<double> on_simgrid(const ClusterOptions& options, std::vector<Flow> flows,
                               Solver solver = Solver::lazy) {
  return in_child([&] {
    Cluster cluster = build_cluster(options);
    return arrivals(cluster, flows,
                    [&](Cluster& c) { return make_simgrid_machine(c, solver); });
  });
}

}  // namespace

TEST_CASE("SimGrid: one flow takes its latency plus bytes over bandwidth") {
  const auto t = on_simgrid(hopper(1), {{GpuId{0}, GpuId{1}, 1_MB}});
  CHECK(t.at(0) == near(1e-6 + 1e6 / 450e9));
}

TEST_CASE("SimGrid: an incast of 1 to 7 MB ends flow by flow, exactly") {
  std::vector<Flow> flows;
  for (int i = 1; i <= 7; ++i) flows.push_back({GpuId{i}, GpuId{0}, Bytes{i * 1e6}});
  for (const Solver solver : {Solver::lazy, Solver::full}) {
    const auto t = on_simgrid(hopper(1), flows, solver);
    double expected = 1e-6;
    for (int i = 0; i < 7; ++i) {
      expected += (7 - i) * 1e6 / 450e9;
      CHECK(t.at(static_cast<std::size_t>(i)) == near(expected));
    }
  }
}

TEST_CASE("SimGrid: an all-to-all of 1 MB on 8 GPUs takes 16.5556 us") {
  std::vector<Flow> flows;
  for (int s = 0; s < 8; ++s) {
    for (int d = 0; d < 8; ++d) flows.push_back({GpuId{s}, GpuId{d}, 1_MB});
  }
  const auto t = on_simgrid(hopper(1), flows);
  CHECK(*std::max_element(t.begin(), t.end()) == near(1e-6 + 7e6 / 450e9));
}

TEST_CASE("SimGrid: zero bytes and data to self arrive") {
  const auto t = on_simgrid(hopper(1), {{GpuId{0}, GpuId{1}, 0_B}, {GpuId{2}, GpuId{2}, 5_MB}});
  CHECK(t.at(0) == near(1e-6));
  CHECK(t.at(1) == 0);
}

TEST_CASE("SimGrid: timers at equal times fire in the order they were set") {
  const auto order = in_child([] {
    Cluster cluster = build_cluster(hopper(1));
    const auto machine = make_simgrid_machine(cluster);
    std::vector<double> out;
    machine->at(2_us, [&] { out.push_back(3); });
    for (int i = 0; i < 3; ++i) machine->at(1_us, [&, i] { out.push_back(i); });
    machine->at(3_us, [&] { machine->stop(); });
    machine->at(4_us, [&] { out.push_back(9); });
    machine->run();
    out.push_back(machine->now().value);
    return out;
  });
  CHECK(order == std::vector<double>{0, 1, 2, 3, 3e-6});
}

TEST_CASE("SimGrid: a link at half bandwidth from the middle") {
  const auto t = in_child([] {
    Cluster cluster = build_cluster(hopper(1));
    const auto machine = make_simgrid_machine(cluster);
    std::vector<double> out;
    machine->start({{GpuId{0}, GpuId{1}, 45_MB}},
                   [&](std::span<const Seconds> finish) { out.push_back(finish[0].value); });
    const LinkId link = *cluster.find_link("node0.gpu1.nvlink.down");
    machine->at(51_us, [&] { machine->set_scale(link, 0.5); });
    machine->run();
    return out;
  });
  CHECK(t.at(0) == near(1e-6 + 50e-6 + 100e-6));
}

TEST_CASE("SimGrid: flows share what others leave of a link, as on the analytic machine") {
  // 30 us at full speed, 100 us at 40 %, the rest at full speed again, with a link at half of
  // its bandwidth for a part of it; and what is left is told in between.
  const auto play = [](Cluster& cluster, Machine& machine) {
    std::vector<double> out;
    const LinkId link = *cluster.find_link("node0.gpu1.nvlink.down");
    const auto leave = [&, link](double share) {
      std::vector<double> all(static_cast<std::size_t>(cluster.links()), 1.0);
      all[link.index()] = share;
      machine.leave(all);
    };
    machine.start({{GpuId{0}, GpuId{1}, 45_MB}, {GpuId{2}, GpuId{3}, 45_MB}}, [&](auto finish) {
      out = {finish[0].value, finish[1].value, out[0], out[1]};
    });
    machine.at(31_us, [&, leave] { leave(0.4); });
    machine.at(81_us, [&, link] { machine.set_scale(link, 0.5); });
    machine.at(101_us, [&] {
      machine.each_flow([&](auto links, Bytes left) {
        out.push_back(static_cast<double>(links.size()) * left.value);
      });
    });
    machine.at(131_us, [&, leave] { leave(1); });
    machine.run();
    return out;
  };
  const auto reference = in_child([&] {
    Cluster cluster = build_cluster(hopper(1));
    return play(cluster, *make_simgrid_machine(cluster));
  });
  Cluster cluster = build_cluster(hopper(1));
  const auto analytic = play(cluster, *make_analytic_machine(cluster));
  // 45 MB = 100 us: 30 + 50 x .4 + 50 x .2 = 60 are over at 131 us, then 40 at half speed.
  CHECK(analytic.at(0) == near(131e-6 + 80e-6));
  CHECK(analytic.at(1) == near(101e-6));
  CHECK(analytic.at(2) == near(2 * 450e9 * (100e-6 - 54e-6)));
  REQUIRE(reference.size() == analytic.size());
  for (std::size_t i = 0; i < analytic.size(); ++i) CHECK(reference[i] == near(analytic[i]));
}

TEST_CASE("SimGrid: data on a link that dies goes on another way") {
  const auto t = in_child([] {
    Cluster cluster = build_cluster(hopper(2));
    const auto machine = make_simgrid_machine(cluster);
    std::vector<double> out;
    machine->start({{GpuId{0}, GpuId{8}, 10_MB}},
                   [&](std::span<const Seconds> finish) { out.push_back(finish[0].value); });
    machine->at(100_us, [&] { machine->set_scale(*cluster.find_link("node0.nic0.up"), 0); });
    machine->run();
    return out;
  });
  CHECK(t.at(0) == near(4.5e-6 + 10e6 / 50e9));
}

TEST_CASE("SimGrid: losing the last way says what is cut off") {
  ClusterOptions options = hopper(1);
  options.fabric = "single_node";
  CHECK_THROWS_WITH(in_child([&]() -> std::vector<double> {
                      Cluster cluster = build_cluster(options);
                      const auto machine = make_simgrid_machine(cluster);
                      machine->start({{GpuId{0}, GpuId{1}, 10_MB}}, [](auto) {});
                      machine->at(2_us, [&] {
                        machine->set_scale(*cluster.find_link("node0.gpu0.nvlink.up"), 0);
                      });
                      machine->run();
                      return {};
                    }),
                    Catch::Contains("node0.gpu0 cannot reach node0.gpu1"));
}

// SimGrid's own latencies with optim:Lazy end this at 105 us: when the latencies of several
// flows expire together, the shared link carries 675 GB/s instead of 450.
TEST_CASE("SimGrid: three flows of 22.5 MB through one link end at 155 us, not 105") {
  ClusterOptions options = hopper(1);
  options.node.nvlink_latency = 5_us;
  const std::vector<Flow> flows = {{GpuId{1}, GpuId{0}, 22.5_MB},
                                   {GpuId{2}, GpuId{0}, 22.5_MB},
                                   {GpuId{3}, GpuId{0}, 22.5_MB}};
  for (const Solver solver : {Solver::lazy, Solver::full}) {
    for (const double end : on_simgrid(options, flows, solver)) CHECK(end == near(155e-6));
  }
}

TEST_CASE("SimGrid: a load crosses its link alone and shares it with flows as one flow") {
  const auto t = in_child([] {
    Cluster cluster = build_cluster(hopper(1));
    const auto machine = make_simgrid_machine(cluster);
    std::vector<double> out(2);
    machine->start({{GpuId{0}, GpuId{1}, 45_MB}},
                   [&](std::span<const Seconds> finish) { out[0] = finish[0].value; });
    machine->carry({{*cluster.find_link("node0.gpu1.nvlink.down"), 45_MB, 1_us}},
                   [&](std::span<const Seconds> finish) { out[1] = finish[0].value; });
    machine->run();
    return out;
  });
  CHECK(t.at(0) == near(201e-6));
  CHECK(t.at(1) == near(201e-6));
}

TEST_CASE("Two collectives and a KV transfer that overlap share links alike in both machines") {
  // The second all-to-all and the transfer begin while the first is half through.
  ClusterOptions options = hopper(2);
  options.nvlink_forwarding = false;
  options.oversubscription = 2;
  const auto overlapped = [&](Cluster& cluster, Machine& machine, int parts) {
    const RankGroup ranks(cluster, all_gpus(cluster));
    const MatrixTraffic first(ranks, skewed_matrix(16, 1_MB, 0.5, 1));
    const MatrixTraffic second(ranks, uneven_matrix(16, 1_MB, 1.0, 2));
    std::vector<double> ends(3, 0.0);
    const auto start = [&, parts](int part, std::vector<Flow> flows, Seconds at) {
      if ((parts >> part & 1) == 0) return;
      machine.at(at, [&machine, &ends, part, flows] {
        machine.start(flows, [&ends, part](std::span<const Seconds> finish) {
          ends[static_cast<std::size_t>(part)] =
              std::max_element(finish.begin(), finish.end())->value;
        });
      });
    };
    start(0, flows_of(first.traffic()), 0_s);
    start(1, flows_of(second.traffic()), 150_us);
    start(2, {{GpuId{3}, GpuId{12}, 20_MB}}, 100_us);
    machine.run();
    return ends;
  };
  const auto fluid = [&](int parts) {
    Cluster cluster = build_cluster(options);
    return overlapped(cluster, *make_analytic_machine(cluster), parts);
  };
  const auto both = fluid(7);
  const auto reference = in_child([&] {
    Cluster cluster = build_cluster(options);
    return overlapped(cluster, *make_simgrid_machine(cluster, Solver::lazy), 7);
  });
  for (int part = 0; part < 3; ++part) {
    const auto i = static_cast<std::size_t>(part);
    INFO("part " << part);
    CHECK(both[i] == Approx(reference[i]).epsilon(1e-6));
    CHECK(both[i] > fluid(1 << part)[i]);  // nobody is alone
  }
}
