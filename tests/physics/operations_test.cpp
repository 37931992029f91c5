// Laws of faults and of prefill/decode pools: nothing is lost, nothing gets better by breaking.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

std::unique_ptr<Walk> run_with_fault(std::vector<std::string> overrides,
                                     const FaultOptions& fault) {
  Scenario scenario = small_scenario(overrides);
  scenario.faults.push_back(fault);
  auto walk = std::make_unique<Walk>(
      scenario, [](Cluster& cluster) { return make_analytic_machine(cluster); });
  walk->run([](double, Seconds) { return true; });
  return walk;
}

int count_of(const Walk& walk, RequestState state) {
  int count = 0;
  for (const RequestRecord& r : walk.simulation().recorder().records()) {
    count += r.state == state;
  }
  return count;
}

void check_causes(const Walk& walk) {
  const Simulation& simulation = walk.simulation();
  const auto& records = simulation.recorder().records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].state != RequestState::finished) continue;
    const Seconds latency = records[i].e2el();
    CHECK(simulation.blame().until_end(RequestId{i}, latency).sum() ==
          Approx(latency.value).epsilon(1e-9));
  }
}

double fault_seconds(const Walk& walk) {
  double sum = 0;
  const auto& records = walk.simulation().recorder().records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].state != RequestState::finished) continue;
    sum += walk.simulation().blame().until_end(RequestId{i}, records[i].e2el())[Cause::fault];
  }
  return sum;
}

double mean_tpot(const Walk& walk) {
  return walk.result("test").summary.find(MetricId::tpot)->mean;
}

const std::vector<std::string> kTwoNodes{"cluster.nodes=2", "model.experts=16",
                                         "serving.recovery_time=2 s"};

}  // namespace

TEST_CASE("a GPU that dies loses no request: each is finished, or failed when that is asked") {
  for (const bool retry : {true, false}) {
    auto options = kTwoNodes;
    options.push_back(std::string("serving.on_failure=") + (retry ? "retry" : "fail"));
    options.push_back("traffic.arrivals.rate=100");
    const auto walk = run_with_fault(options, {.at = Seconds{1}, .target = "gpu3", .speed = 0});
    const int finished = count_of(*walk, RequestState::finished);
    const int failed = count_of(*walk, RequestState::failed);
    CHECK(finished + failed == 200);
    CHECK((failed == 0) == retry);
    CHECK((walk->simulation().retries() > 0) == retry);
    CHECK(walk->simulation().incidents().size() == 1);
    CHECK(fault_seconds(*walk) > 0);
    check_causes(*walk);
  }
}

TEST_CASE("experts of a dead GPU are on the others, and every expert is somewhere") {
  const auto walk =
      run_with_fault(kTwoNodes, {.at = Seconds{1}, .target = "node1.gpu2", .speed = 0});
  const Placement& placement = walk->simulation().moe(0)->placement();
  for (int layer = 0; layer < placement.layers; ++layer) {
    CHECK(placement.gpu_slots(layer)[10] == placement.gpu_slots(layer)[11]);
    for (int e = 0; e < placement.experts; ++e) CHECK(!placement.replicas(layer, e).empty());
  }
}

TEST_CASE("a node that comes back has its experts again") {
  const auto before = run_small(kTwoNodes);
  const auto walk = run_with_fault(
      kTwoNodes, {.at = Seconds{1}, .lasts = Seconds{4}, .target = "node1", .speed = 0});
  CHECK(walk->simulation().moe(0)->placement().physical_to_logical ==
        before->simulation().moe(0)->placement().physical_to_logical);
  CHECK(count_of(*walk, RequestState::finished) == 200);
}

TEST_CASE("where no attention rank is left the instance is down: requests wait, or fail") {
  const std::vector<std::string> tensor_parallel{"serving.tp=8", "serving.recovery_time=1 s"};
  const auto forever =
      run_with_fault(tensor_parallel, {.at = Seconds{2}, .target = "gpu0", .speed = 0});
  CHECK(count_of(*forever, RequestState::failed) > 0);
  CHECK(count_of(*forever, RequestState::finished) + count_of(*forever, RequestState::failed) ==
        200);
  const auto back = run_with_fault(
      tensor_parallel, {.at = Seconds{2}, .lasts = Seconds{5}, .target = "gpu0", .speed = 0});
  CHECK(count_of(*back, RequestState::finished) == 200);
  check_causes(*back);
}

TEST_CASE("another instance takes over what one that is down had") {
  const auto walk = run_with_fault({"serving.tp=4", "serving.instances=2"},
                                   {.at = Seconds{2}, .target = "gpu0", .speed = 0});
  CHECK(count_of(*walk, RequestState::finished) == 200);
  CHECK(walk->simulation().retries() > 0);
}

TEST_CASE("a NIC at a quarter of its speed never makes TPOT better") {
  auto options = kTwoNodes;
  options.push_back("serving.transport=pairwise");
  options.push_back("requests=10");
  const double healthy = mean_tpot(*run_small(options));
  const auto slow =
      run_with_fault(options, {.at = Seconds{0}, .target = "node1.nic1", .bandwidth = 0.25});
  CHECK(mean_tpot(*slow) >= healthy);
  // One that is down is gone around. The rows of a hot GPU then come by several NICs, which can
  // be faster than by its own, so that only even demand must not get better: faults_test.cpp.
  const auto down =
      run_with_fault(options, {.at = Seconds{0}, .target = "node1.nic1", .bandwidth = 0});
  CHECK(count_of(*down, RequestState::finished) == 10);
}

TEST_CASE("a GPU at half speed makes steps longer, and only while it lasts") {
  const double healthy = mean_tpot(*run_small());
  const auto slow = run_with_fault({}, {.at = Seconds{0}, .target = "gpu5", .speed = 0.5});
  CHECK(mean_tpot(*slow) > 1.1 * healthy);
  const auto gone_by = run_with_fault(
      {"serving.warmup=0"},
      {.at = Seconds{1000}, .lasts = Seconds{1}, .target = "gpu5", .speed = 0.5});
  CHECK(mean_tpot(*gone_by) == healthy);
  CHECK(gone_by->simulation().duration() == run_small()->simulation().duration());
}

TEST_CASE("a fault that cannot be is refused with the name") {
  CHECK_THROWS_AS(run_with_fault({}, {.target = "node0.nic1", .speed = 0}), InputError);
  CHECK_THROWS_AS(run_with_fault({}, {.target = "nodule", .bandwidth = 0.5}), InputError);
}

// Pools.

namespace {

const std::vector<std::string> kPools{"cluster.nodes=2", "serving.mode=disaggregated"};

}  // namespace

TEST_CASE("disaggregated: requests and tokens are conserved, and the causes add up") {
  const auto walk = run_small(kPools);
  const Recorder& recorder = walk->simulation().recorder();
  CHECK(count_of(*walk, RequestState::finished) == 200);
  CHECK(recorder.window_output_tokens() == 200 * 32);
  CHECK(recorder.window_input_tokens() == 200 * 256);
  check_causes(*walk);
}

TEST_CASE("with an infinite network a disaggregated system is its pools alone") {
  // TTFT is that of the prefill pool serving alone requests of one token.
  auto options = kPools;
  for (const char* o : {"cluster.node.nic_bandwidth=1e15", "cluster.node.nvlink_bandwidth=1e15",
                        "cluster.node.nic_latency=0", "cluster.node.nvlink_latency=0",
                        "cluster.switch_latency=0"}) {
    options.emplace_back(o);
  }
  const auto pools = run_small(options);
  auto alone = options;
  alone[0] = "cluster.nodes=1";
  alone[1] = "traffic.output_tokens.mean=1";
  const auto prefill = run_small(alone);
  const auto& together = pools->simulation().recorder().records();
  const auto& apart = prefill->simulation().recorder().records();
  for (std::size_t i = 0; i < together.size(); ++i) {
    CHECK(together[i].ttft().value == Approx(apart[i].ttft().value).epsilon(1e-9));
    const CauseSeconds causes =
        pools->simulation().blame().until_end(RequestId{i}, together[i].e2el());
    CHECK(causes[Cause::kv_transfer] < 1e-6);
  }
}

TEST_CASE("a single KV transfer takes latency + bytes / bandwidth of the path") {
  auto options = kPools;
  options.emplace_back("requests=1");
  const auto walk = run_small(options);
  const Simulation& simulation = walk->simulation();
  const RequestRecord& r = simulation.recorder().records().front();
  const CauseSeconds causes = simulation.blame().until_end(RequestId{0}, r.e2el());
  const Cluster& cluster = walk->cluster();
  double narrowest = 1e30;
  double latency = 0;
  const Path path = cluster.path(GpuId{0}, GpuId{8});
  latency = path.latency.value;
  for (const LinkId link : path.links()) {
    narrowest = std::min(narrowest, cluster.link(link).bandwidth.value);
  }
  const double bytes = kv_bytes(walk->scenario().model, 256).value;
  CHECK(causes[Cause::kv_transfer] == Approx(latency + bytes / narrowest).epsilon(1e-6));
}

TEST_CASE("a decode GPU that dies in a disaggregated system loses no request") {
  auto options = kPools;
  options.emplace_back("serving.recovery_time=1 s");
  options.emplace_back("traffic.arrivals.rate=200");
  for (const char* target : {"gpu2", "gpu11", "node1"}) {
    const auto walk = run_with_fault(
        options, {.at = Seconds{0.5}, .lasts = Seconds{3}, .target = target, .speed = 0});
    INFO(target);
    CHECK(count_of(*walk, RequestState::finished) == 200);
    check_causes(*walk);
  }
}

TEST_CASE(
    "layer-wise, KV is there sooner and as many bytes are sent; blocks are freed at last") {
  // transfer left <= whole, >= latency + one layer's bytes / bandwidth.
  const auto transfer = [](const Walk& walk, std::size_t i) {
    const RequestRecord& r = walk.simulation().recorder().records()[i];
    return walk.simulation().blame().until_end(RequestId{i}, r.e2el())[Cause::kv_transfer];
  };
  const auto bytes = [](const Walk& walk) {
    double sum = 0;
    for (int l = 0; l < walk.cluster().links(); ++l) {
      if (walk.cluster().link(LinkId{l}).kind != LinkKind::nic) continue;
      sum += walk.simulation().ledger().bytes(LinkId{l}).value;
    }
    return sum;
  };
  auto options = kPools;
  options.insert(options.end(), {"requests=20", "traffic.arrivals.rate=2"});
  auto layerwise = options;
  layerwise.emplace_back("serving.kv_transfer=layerwise");
  const auto at_once = run_small(options);
  const auto by_layer = run_small(layerwise);
  const Path path = by_layer->cluster().path(GpuId{0}, GpuId{8});
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(transfer(*by_layer, i) < 0.5 * transfer(*at_once, i));
    CHECK(transfer(*by_layer, i) > path.latency.value);
  }
  CHECK(bytes(*by_layer) == Approx(bytes(*at_once)).epsilon(1e-9));
  CHECK(by_layer->simulation().instance(0).kv_used(1) == 0);
  check_causes(*by_layer);
}

TEST_CASE("prompts wait while the KV of others is still on its way to the decode pool") {
  // A NIC so slow that transfers take seconds, and KV of a prefill rank for four prompts.
  auto options = kPools;
  options.insert(options.end(), {"requests=40", "serving.tp=8",
                                 "cluster.node.nic_bandwidth=1e8", "cluster.gpu.memory=141 GB",
                                 "serving.kv_block=256", "traffic.arrivals.rate=1000"});
  const auto roomy = run_small(options);
  options.emplace_back("serving.memory_fraction=0.0955");
  const auto tight = run_small(options);
  const auto last_first_token = [](const Walk& walk) {
    double last = 0;
    for (const RequestRecord& r : walk.simulation().recorder().records()) {
      last = std::max(last, r.first_token.value);
    }
    return last;
  };
  CHECK(count_of(*tight, RequestState::finished) == 40);
  CHECK(last_first_token(*tight) > last_first_token(*roomy));
  check_causes(*tight);
}

// Instances that are switched off and on.

namespace {

const std::vector<std::string> kTwoInstances{"cluster.nodes=2", "serving.instances=2",
                                             "requests=400", "traffic.arrivals.rate=100"};

std::unique_ptr<Walk> run_scaled(const std::vector<std::string>& overrides,
                                 const std::vector<ScaleOptions>& scales) {
  Scenario scenario = small_scenario(overrides);
  scenario.scales = scales;
  auto walk = std::make_unique<Walk>(
      scenario, [](Cluster& cluster) { return make_analytic_machine(cluster); });
  walk->run([](double, Seconds) { return true; });
  return walk;
}

}  // namespace

TEST_CASE("an instance that is switched off ends what it has; on again, it warms up first") {
  const Seconds off{1};
  const Seconds on{2};
  const Seconds warm_up{0.5};
  const auto walk =
      run_scaled(kTwoInstances, {{.at = off, .instance = 1, .to = "down"},
                                 {.at = on, .instance = 1, .to = "up", .warm_up = warm_up}});
  CHECK(count_of(*walk, RequestState::finished) == 400);
  check_causes(*walk);
  int before = 0;
  int after = 0;
  for (const RequestRecord& r : walk->simulation().recorder().records()) {
    const bool away = r.arrival > off && r.arrival < on + warm_up;
    if (away) CHECK(r.instance == 0);
    before += r.instance == 1 && r.arrival <= off ? 1 : 0;
    after += r.instance == 1 && r.arrival >= on + warm_up ? 1 : 0;
  }
  CHECK(before > 0);
  CHECK(after > 0);
  CHECK(walk->simulation().off_time(1).value > 0);
  CHECK(walk->simulation().off_time(1) < on - off);
  CHECK(walk->simulation().off_time(0).value == 0);
  const Seconds all = walk->simulation().duration();
  CHECK(walk->result("test").cost.gpu_hours * 3600 ==
        Approx(16 * all.value - 8 * walk->simulation().off_time(1).value));
}

TEST_CASE("with every instance off requests wait for one that comes, or fail where none will") {
  const ScaleOptions down{.at = Seconds{1}, .instance = 0, .to = "down"};
  const ScaleOptions up{.at = Seconds{3}, .instance = 0, .to = "up", .warm_up = Seconds{1}};
  const auto comes = run_scaled({}, {down, up});
  CHECK(count_of(*comes, RequestState::finished) == 200);
  const auto never = run_scaled({}, {down});
  const int failed = count_of(*never, RequestState::failed);
  CHECK(failed > 0);
  CHECK(count_of(*never, RequestState::finished) + failed == 200);
}

TEST_CASE("pools may shrink: a decode instance that is switched off loses no request") {
  const auto walk =
      run_scaled({"cluster.nodes=3", "serving.mode=disaggregated", "serving.prefill.nodes=1",
                  "serving.decode.instances=2", "traffic.arrivals.rate=100"},
                 {{.at = Seconds{0.5}, .instance = 2, .to = "down"}});
  CHECK(count_of(*walk, RequestState::finished) == 200);
  check_causes(*walk);
}

// Rebalancing and capacity.

namespace {

std::vector<std::string> moving(const char* migration) {
  return {"model.experts=32",
          "model.layers=4",
          "placement.strategy=eplb",
          "placement.redundant_experts=8",
          "placement.training_tokens=64",
          "router.skew=1.0",
          "router.drift_sigma=0.8",
          "router.drift_time=10",
          "requests=200",
          std::string("placement.rebalance.migration=") + migration};
}

double balancedness(const Walk& walk) { return walk.result("test").balance.balancedness; }

}  // namespace

TEST_CASE("rebalancing under drift lifts balancedness, and moves experts x bytes of one") {
  const double fixed = balancedness(*run_small(moving("async")));
  for (const char* migration : {"bulk", "async", "layerwise"}) {
    auto options = moving(migration);
    options.emplace_back("placement.rebalance.every_steps=100");
    const auto walk = run_small(options);
    INFO(migration);
    CHECK(balancedness(*walk) > fixed);
    const RebalanceTotals& moved = walk->simulation().rebalancer(0)->totals();
    CHECK(moved.rebalances > 1);
    CHECK(moved.bytes.value == Approx(static_cast<double>(moved.experts) *
                                      expert_bytes(walk->scenario().model).value));
    CHECK(count_of(*walk, RequestState::finished) == 200);
    check_causes(*walk);
    double stalled = 0;
    const auto& records = walk->simulation().recorder().records();
    for (std::size_t i = 0; i < records.size(); ++i) {
      stalled += walk->simulation().blame().until_end(RequestId{i},
                                                      records[i].e2el())[Cause::rebalancing];
    }
    CHECK((stalled > 0) == (std::string(migration) == "bulk"));
  }
}

TEST_CASE("a fault in the middle of rebalancing loses nothing") {
  for (const char* migration : {"bulk", "layerwise"}) {
    auto options = moving(migration);
    options.emplace_back("placement.rebalance.every_steps=20");
    options.emplace_back("serving.recovery_time=1 s");
    const auto walk = run_with_fault(
        options, {.at = Seconds{3}, .lasts = Seconds{4}, .target = "gpu1", .speed = 0});
    CHECK(count_of(*walk, RequestState::finished) == 200);
    check_causes(*walk);
  }
}

TEST_CASE("a capacity drops what overflows, and a larger one drops less") {
  double before = 1;
  for (const char* factor : {"1.0", "1.5", "2.5"}) {
    const auto walk = run_small({std::string("router.capacity_factor=") + factor,
                                 "router.overflow=drop", "router.skew=0.7"});
    const Result result = walk->result("test");
    CHECK(result.balance.overflow_rate < before);
    CHECK(result.balance.overflow_rate > 0);
    CHECK(result.balance.dropped_token_rate >= result.balance.overflow_rate);
    before = result.balance.overflow_rate;
  }
  const auto rerouted =
      run_small({"router.capacity_factor=1.5", "router.overflow=reroute", "router.skew=0.7"});
  CHECK(rerouted->result("test").balance.dropped_token_rate == 0);
}

TEST_CASE("what a capacity drops is neither computed nor sent: bytes shrink by its share") {
  // One message per assignment, top-1: bytes = kept assignments x row, less those to oneself.
  const std::vector<std::string> base{"model.top_k=1", "router.skew=1.0", "cluster.nodes=2",
                                      "model.experts=16", "serving.transport=low_latency"};
  auto limited = base;
  limited.insert(limited.end(), {"router.capacity_factor=1", "router.overflow=drop"});
  struct Work {
    double kept, sent;
  };
  const auto work = [](const Walk& walk) {
    Work w{0, 0};
    for (const double t : walk.simulation().moe(0)->totals().rank_tokens) w.kept += t;
    for (int g = 0; g < walk.cluster().gpus(); ++g) {
      w.sent += walk.simulation().ledger().bytes(walk.cluster().place(GpuId{g}).up).value;
    }
    return w;
  };
  const auto some = run_small(limited);
  const OverflowTotals& overflow = some->simulation().moe(0)->totals().overflow;
  const double kept = 1 - static_cast<double>(overflow.dropped) / overflow.routed;
  REQUIRE(kept < 0.9);
  const Work all = work(*run_small(base));
  const Work less = work(*some);
  CHECK(less.kept / all.kept == Approx(kept).epsilon(1e-9));
  CHECK(less.sent / all.sent == Approx(kept).epsilon(0.02));
}

// Preemption.

TEST_CASE("preempted requests finish, computed again or swapped, and the causes add up") {
  // KV for few requests of a rank, and a host that has room for all, for some, for none.
  for (const char* preemption : {"swap", "recompute"}) {
    for (const char* space : {"1 TB", "30 MB"}) {
      const auto walk = run_small(
          {"serving.tp=8", "cluster.gpu.memory=141 GB", "serving.memory_fraction=0.096",
           "traffic.arrivals.rate=2000", "traffic.output_tokens.mean=128",
           "serving.kv_block=16", std::string("serving.preemption=") + preemption,
           std::string("serving.swap_space=") + space});
      INFO(preemption << ", " << space);
      const Result result = walk->result("test");
      CHECK(result.summary.requests.finished == 200);
      CHECK(result.summary.requests.preemptions > 0);
      CHECK(walk->simulation().recorder().window_output_tokens() == 200 * 128);
      CHECK((walk->simulation().instance(0).swapped_tokens() > 0) ==
            (std::string(preemption) == "swap"));
      check_causes(*walk);
    }
  }
}

// Shapes of steps and queues.

TEST_CASE("padding decodes to a captured graph never makes a step shorter") {
  const double exact = mean_tpot(*run_small());
  const double close = mean_tpot(*run_small({"serving.graph_sizes=[1,2,4,8,16,32,64,128]"}));
  const double coarse = mean_tpot(*run_small({"serving.graph_sizes=[128]"}));
  CHECK(close >= exact * (1 - 1e-9));
  CHECK(coarse > close);
}

TEST_CASE("experts may be divided over GPUs while attention is data parallel") {
  const auto walk = run_small({"serving.ep=4", "requests=50"});
  CHECK(walk->simulation().parallel().moe_tp == 2);
  CHECK(count_of(*walk, RequestState::finished) == 50);
}

TEST_CASE("requests that wait beyond the deadline are shed, and counted") {
  const std::vector<std::string> busy{"serving.tp=8", "serving.max_batch=2",
                                      "traffic.arrivals.rate=200"};
  auto options = busy;
  options.emplace_back("serving.queue_deadline=500 ms");
  const auto walk = run_small(options);
  CHECK(count_of(*walk, RequestState::shed) > 0);
  CHECK(count_of(*walk, RequestState::shed) + count_of(*walk, RequestState::finished) == 200);
  CHECK(count_of(*run_small(busy), RequestState::shed) == 0);
}
