// Transfers beside the collectives of steps: what one link carries of both.
#include "sim/machine/transfers.hpp"

#include <catch2/catch.hpp>

#include "sim/machine/shared_collectives.hpp"
#include "tests/machine/machine_cases.hpp"

using namespace moesim;
using namespace moesim::testing;

namespace {

// Two nodes, everything between them over one rail each.
struct Site {
  Cluster cluster = build_cluster(hopper(2));
  std::unique_ptr<Machine> machine = make_analytic_machine(cluster);
  LinkLedger ledger{cluster.links()};
  Transfers transfers{*machine, cluster, ledger, 1};
  RankGroup ranks{cluster, all_gpus(cluster)};
  LinkId nic = *cluster.find_link("node0.nic0.up");

  // Steps of `takes` whose collectives put `work` on the link, from now on until `until`.
  void steps(LinkId link, Seconds takes, Bytes work, Seconds until) {
    if (machine->now() >= until) return transfers.idle(0);
    transfers.open_step();
    ledger.add(link, work.value);
    transfers.close_step(0, takes);
    machine->after(takes, [=, this] { steps(link, takes, work, until); });
  }
  // When a transfer from GPU 0 to GPU 8 that starts at `at` has arrived.
  Seconds arrival(Bytes bytes, Seconds at = Seconds{0}) {
    Seconds end{-1};
    machine->at(at, [&, bytes] {
      transfers.start({{.src = GpuId{0}, .dst = GpuId{8}, .bytes = bytes}},
                      [&](auto finish) { end = finish[0]; });
    });
    machine->run();
    return end;
  }
};

}  // namespace

TEST_CASE("A transfer ends later by what collectives carried on its link meanwhile") {
  // bandwidth x (end - start - latency) = bytes + work of the steps in that time, prorated.
  const double latency = [] {
    const Site site;
    return site.cluster.path(GpuId{0}, GpuId{8}).latency.value;
  }();
  for (const double duty : {0.0, 0.3, 0.9}) {
    for (const Seconds at : {0_us, 150_us, 230_us}) {
      Site site;
      site.machine->at(0_us,
                       [&] { site.steps(site.nic, 100_us, Bytes{duty * 50e9 * 100e-6}, 1_s); });
      const Seconds end = site.arrival(10_MB, at);
      CHECK((end - at).value == Approx(latency + 10e6 / 50e9 / (1 - duty)).epsilon(1e-9));
    }
  }
  Site site;  // a single step, 80 % of the link for 100 us: 80 us of it are lost
  site.machine->at(0_us, [&] { site.steps(site.nic, 100_us, Bytes{4e6}, 100_us); });
  CHECK(site.arrival(10_MB).value == Approx(10e6 / 50e9 + 80e-6 + latency * 0.2).epsilon(1e-9));
}

TEST_CASE("A transfer over links that no collective uses is not delayed") {
  Site busy, quiet;
  busy.machine->at(
      0_us, [&] { busy.steps(*busy.cluster.find_link("node0.nic1.up"), 100_us, 4_MB, 1_s); });
  CHECK(busy.arrival(10_MB) == quiet.arrival(10_MB));
}

TEST_CASE("Collectives that would fill a link for longer than their step are our mistake") {
  Site site;
  site.transfers.open_step();
  site.ledger.add(site.nic, 6e6);  // 120 us at 50 GB/s
  CHECK_THROWS_AS(site.transfers.close_step(0, 100_us), BrokenLaw);
}

namespace {

// The makespan of an all-to-all beside `flows` transfers of `bytes` each over node 0's first
// NIC, all asked for 10 us after the transfers began.
Outcome beside(Site& site, const char* model, int flows, Bytes bytes, Bytes each) {
  Outcome out;
  const auto network = make_collective_model(model);
  site.machine->at(0_us, [&, flows, bytes] {
    for (int f = 0; f < flows; ++f) {
      site.transfers.start({{.src = GpuId{0}, .dst = GpuId{8}, .bytes = bytes}}, [](auto) {});
    }
  });
  site.machine->at(10_us, [&, each] {
    SharedCollectives shared(site.transfers);
    shared.begin_step(10_us);
    const MatrixTraffic matrix(site.ranks, uniform_matrix(16, each));
    out = shared.time(*network, matrix.traffic(), site.ledger, 10_us, 1);
  });
  site.machine->run();
  return out;
}

Seconds alone(const char* model, Bytes each) {
  Site site;
  const MatrixTraffic matrix(site.ranks, uniform_matrix(16, each));
  return make_collective_model(model)->time(matrix.traffic()).makespan;
}

}  // namespace

TEST_CASE("Beside c transfers a collective gets n / (n + c) of the link, in every model") {
  // A NIC carries 8 GPUs' flows to the 8 of the other node: n = 64, W = 64 bytes / bandwidth.
  for (const char* model : {"bound", "fluid", "auto"}) {
    for (const int c : {1, 8, 64}) {
      Site site;
      const Seconds busy = beside(site, model, c, 1_GB, 100_KB).makespan;
      const Seconds free = alone(model, 100_KB);
      INFO(model << " beside " << c);
      CHECK((busy - free).value == Approx(64 * 100e3 / 50e9 * c / 64).epsilon(0.01));
    }
  }
}

TEST_CASE("A collective loses no more of a link than transfers have left for it") {
  // 1 MB that began 10 us earlier, less the latency of its way: what is left crosses once.
  Site site;
  const double sent = 10e-6 - site.cluster.path(GpuId{0}, GpuId{8}).latency.value;
  const Seconds busy = beside(site, "bound", 64, Bytes{1e6 / 64}, 1_MB).makespan;
  CHECK((busy - alone("bound", 1_MB)).value == Approx(1e6 / 50e9 - sent).epsilon(1e-6));
}

TEST_CASE("More or larger transfers never make a collective shorter, and links are as before") {
  Seconds before{0};
  for (const Bytes bytes : {0_B, 100_KB, 1_MB, 10_MB, 1_GB}) {
    Site site;
    const Seconds now = beside(site, "auto", 4, bytes, 1_MB).makespan;
    CHECK(now >= before);
    CHECK(site.cluster.links_changed() == 0);
    before = now;
  }
}

TEST_CASE("With no transfer under way a collective takes, to the bit, what it takes alone") {
  for (const char* model : {"bound", "fluid", "auto"}) {
    Site site;
    CHECK(beside(site, model, 0, 1_GB, 1_MB).makespan == alone(model, 1_MB));
  }
}
