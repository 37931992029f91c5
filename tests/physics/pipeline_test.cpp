// Laws of instances that are pipelines of stages.
#include <catch2/catch.hpp>

#include <numeric>

#include "sim/machine/group_collective.hpp"
#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

using Overrides = std::vector<std::string>;

Overrides with(Overrides options, const Overrides& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// Every request ended well, its causes add up to its latency, every token went through every
// layer, and nobody worked longer than there was time.
void check_laws(const Walk& walk, std::int64_t requests) {
  const Simulation& simulation = walk.simulation();
  const auto& records = simulation.recorder().records();
  REQUIRE(static_cast<std::int64_t>(records.size()) == requests);
  for (std::size_t i = 0; i < records.size(); ++i) {
    REQUIRE(records[i].state == RequestState::finished);
    const Seconds latency = records[i].e2el();
    CHECK(simulation.blame().until_end(RequestId{i}, latency).sum() ==
          Approx(latency.value).epsilon(1e-9));
  }
  const Result result = walk.result("test");
  for (const GpuResult& gpu : result.gpus) {
    CHECK(gpu.utilization > 0);
    CHECK(gpu.utilization <= 1 + 1e-9);
  }
  for (const LinkResult& link : result.links) CHECK(link.utilization <= 1 + 1e-9);
  for (int i = 0; i < simulation.instances(); ++i) {
    const MoeStep* moe = simulation.moe(i);
    if (moe == nullptr) continue;
    const ExpertTotals& totals = moe->totals();
    const auto experts = static_cast<std::size_t>(moe->placement().experts);
    const std::int64_t routed =
        std::accumulate(totals.tokens.begin(), totals.tokens.end(), std::int64_t{0});
    for (std::size_t first = 0; first < totals.tokens.size(); first += experts) {
      const auto begin = totals.tokens.begin() + static_cast<std::ptrdiff_t>(first);
      CHECK(std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(experts),
                            std::int64_t{0}) == routed / moe->placement().layers);
    }
    CHECK(totals.rank_tokens.size() ==
          static_cast<std::size_t>(simulation.pool(i).parallel.ep *
                                   simulation.pool(i).parallel.pp));
    CHECK(std::accumulate(totals.rank_tokens.begin(), totals.rank_tokens.end(), 0.0) ==
          Approx(static_cast<double>(routed)).epsilon(1e-9));
  }
}

double output_rate(const Overrides& options) {
  return run_small(options)->result("test").summary.throughput.output_tokens.value;
}

}  // namespace

TEST_CASE("a lone request takes as long as on one stage's GPUs, and the ways between stages") {
  // e2e(pp) = e2e(one stage's GPUs) + sum over its steps of
  //           rows / tp from GPU to GPU + rows gathered by tp GPUs + token ids back
  const Overrides one{"requests=1", "traffic.output_tokens.mean=8"};
  const auto alone = run_small(with(one, {"cluster.node.gpus=4", "serving.tp=4"}));
  const auto staged = run_small(with(one, {"serving.tp=4", "serving.pp=2"}));
  const Cluster& cluster = staged->cluster();
  const GroupCollectives collectives(cluster.gpu(GpuId{0}).name);
  const RankGroup rank(cluster, {GpuId{4}, GpuId{5}, GpuId{6}, GpuId{7}});
  const auto ways = [&](double rows) {
    const Bytes bytes{2.0 * rows * staged->scenario().model.hidden};
    return point_to_point(cluster, GpuId{0}, GpuId{4}, bytes / 4.0) +
           collectives.time(GroupOp::all_gather, rank, bytes).time +
           point_to_point(cluster, GpuId{4}, GpuId{0}, Bytes{4});
  };
  const Seconds between = ways(256) + 7.0 * ways(1);
  const auto latency = [](const Walk& walk) {
    return walk.simulation().recorder().records()[0].e2el();
  };
  REQUIRE(between.value > 0);
  CHECK(latency(*staged).value == Approx((latency(*alone) + between).value).epsilon(1e-9));
  const CauseSeconds causes =
      staged->simulation().blame().until_end(RequestId{0}, latency(*staged));
  // Of a request that has ended its causes are kept as 32-bit shares.
  CHECK(causes[Cause::pipeline] == Approx(between.value).epsilon(1e-6));
  check_laws(*staged, 1);
}

TEST_CASE("rows cross every border between stages once, over the links between their GPUs") {
  // bytes = 2 x hidden x tokens x (pp - 1), and 4 for each token on its way back
  const auto walk = run_small({"serving.tp=2", "serving.pp=4", "requests=20"});
  double up = 0;
  for (int g = 0; g < walk->cluster().gpus(); ++g) {
    up += walk->simulation().ledger().bytes(walk->cluster().place(GpuId{g}).up).value;
  }
  const double tokens = 20.0 * (256 + 31);
  const double rows = 2.0 * walk->scenario().model.hidden * tokens * 3;
  // Each of a rank's GPUs takes a part of the token ids' way, each token to each of them.
  const double ids = 2 * 4.0 * 20 * 32;
  // Beside them the two GPUs of a rank gather what was handed on, and add up twice per layer:
  // n x (n - 1) / n of a row, and twice that.
  const double gathered = rows;
  const double reduced = 2.0 * walk->scenario().model.hidden * tokens * 32 * 2 * 2;
  CHECK(up == Approx(rows + ids + gathered + reduced).epsilon(1e-9));
}

TEST_CASE("saturated decode that reads weights: throughput grows with pp, by no more than pp") {
  // One expert for all tokens: nothing is drawn. A stage has 1 / pp of the layers, so that as
  // many rows per micro-batch take 1 / pp of the time, less the ways from stage to stage.
  const Overrides base{"model.experts=1",
                       "model.top_k=1",
                       "router.skew=0",
                       "model.weights=fp8_block",
                       "requests=128",
                       "traffic.arrivals.rate=1000000",
                       "traffic.input_tokens.mean=16",
                       "traffic.output_tokens.mean=64",
                       "serving.step_overhead=0"};
  const auto rate = [&](int pp, int batch) {
    return output_rate(with(
        base, {"cluster.node.gpus=" + std::to_string(pp), "serving.pp=" + std::to_string(pp),
               "serving.max_batch=" + std::to_string(batch)}));
  };
  const double one = rate(1, 8);
  for (const int pp : {2, 4}) {
    INFO(pp);
    CHECK(rate(pp, 8 * pp) <= pp * one);
    CHECK(rate(pp, 8 * pp) > 0.8 * pp * one);
    // No larger batch: the same rows in more micro-batches, each with all the weights to read.
    CHECK(rate(pp, 8) < 1.2 * one);
  }
}

TEST_CASE("pipelines of every shape lose nothing, and no GPU works longer than there is time") {
  const Overrides shapes[] = {
      {"serving.pp=2", "serving.tp=4"},
      {"serving.pp=4", "serving.tp=2"},
      {"serving.pp=8", "serving.tp=1"},
      {"serving.pp=2", "serving.tp=1", "serving.overlap=two_batch"},
      {"serving.pp=2", "serving.tp=2", "serving.ep=2"},
      {"serving.pp=4", "serving.tp=1", "model.layers=13", "serving.transport=pairwise"},
      {"serving.pp=2", "serving.instances=2", "serving.max_tokens_per_step=256"},
      {"serving.pp=2", "serving.tp=2", "serving.graph_sizes=[1, 2, 4, 8, 16]"},
      {"serving.pp=2", "cluster.nodes=2", "model.experts=16", "serving.overlap=shared_expert"},
  };
  for (const Overrides& shape : shapes) {
    INFO(shape[0] << " " << shape[1]);
    const auto walk = run_small(with({"requests=60", "traffic.arrivals.rate=200"}, shape));
    check_laws(*walk, 60);
  }
}

TEST_CASE("a stage with more layers than others makes the others wait: the bubble") {
  // 5 layers in stages of 3 and 2: at saturation a round is pp x the longer stage.
  const Overrides base{"serving.tp=4", "serving.pp=2", "traffic.arrivals.rate=100000",
                       "requests=64", "traffic.output_tokens.mean=64"};
  const auto share = [&](const char* layers) {
    const auto walk = run_small(with(base, {std::string("model.layers=") + layers}));
    check_laws(*walk, 64);
    CauseSeconds sum;
    const auto& records = walk->simulation().recorder().records();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const CauseSeconds c =
          walk->simulation().blame().until_end(RequestId{i}, records[i].e2el());
      for (std::size_t k = 0; k < kCauses; ++k) sum.of[k] += c.of[k];
    }
    return sum[Cause::pipeline] / sum.sum();
  };
  CHECK(share("5") > share("4"));
  CHECK(share("5") > share("6"));
}

TEST_CASE("KV room of a pipeline is more than that of replicas on the same GPUs together") {
  const auto room = [](const Overrides& options) {
    const auto walk = run_small(with({"requests=1"}, options));
    const Simulation& s = walk->simulation();
    return static_cast<double>(s.memory().kv_tokens) * s.instances() * s.parallel().dp;
  };
  const double replicas = room({"serving.tp=4", "serving.instances=2"});
  const double stages = room({"serving.tp=4", "serving.pp=2"});
  const double one = replicas / 2;
  CHECK(stages > 2 * one);  // weights are there once, not twice
  CHECK(stages < 4 * one);
}

TEST_CASE("a GPU that dies takes its pipeline along, and no request is lost") {
  for (const char* target : {"gpu1", "gpu13", "gpu15"}) {
    Scenario scenario = small_scenario({"cluster.nodes=2", "model.experts=16", "serving.pp=2",
                                        "serving.tp=2", "serving.recovery_time=2 s"});
    scenario.faults.push_back(
        {.at = Seconds{3}, .lasts = Seconds{4}, .target = target, .speed = 0});
    Walk walk(scenario, [](Cluster& cluster) { return make_analytic_machine(cluster); });
    walk.run([](double, Seconds) { return true; });
    INFO(target);
    CHECK(walk.simulation().retries() > 0);
    check_laws(walk, 200);
  }
}

TEST_CASE("a slow GPU of one stage slows the round, and stays within its time") {
  const auto run = [](double speed) {
    Scenario scenario = small_scenario({"serving.pp=2", "serving.tp=2", "requests=60"});
    if (speed < 1) {
      scenario.faults.push_back({.at = Seconds{0}, .target = "gpu6", .speed = speed});
    }
    Walk walk(scenario, [](Cluster& cluster) { return make_analytic_machine(cluster); });
    walk.run([](double, Seconds) { return true; });
    check_laws(walk, 60);
    return walk.result("test").summary.find(MetricId::tpot)->mean;
  };
  CHECK(run(0.5) > 1.2 * run(1));
}

TEST_CASE("between pools KV goes stage by stage: all bytes, wherever the layers lie") {
  // NIC bytes = requests x KV of the prompt, up and down; heads divided over tp GPUs.
  for (const auto& [prefill, decode] : {std::pair{2, 1}, std::pair{1, 2}, std::pair{4, 2}}) {
    const auto walk = run_small({"cluster.nodes=2", "serving.mode=disaggregated",
                                 "serving.tp=2", "requests=40", "model.layers=30",
                                 "serving.prefill.pp=" + std::to_string(prefill),
                                 "serving.decode.pp=" + std::to_string(decode)});
    INFO(prefill << " to " << decode);
    check_laws(*walk, 40);
    double sum = 0;
    for (int l = 0; l < walk->cluster().links(); ++l) {
      if (walk->cluster().link(LinkId{l}).kind != LinkKind::nic) continue;
      sum += walk->simulation().ledger().bytes(LinkId{l}).value;
    }
    CHECK(sum == Approx(2 * 40.0 * kv_bytes(walk->scenario().model, 256).value).epsilon(1e-9));
  }
}
