// Laws of prefill and decode pools, and of the KV between them.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

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
