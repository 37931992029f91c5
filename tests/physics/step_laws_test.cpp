// Laws of one step: times add up, bytes and tokens are conserved, skew costs.
#include <catch2/catch.hpp>

#include <numeric>

#include "sim/serving/sparse_index.hpp"
#include "tests/physics/runs.hpp"

using namespace moesim;

TEST_CASE("one token, one expert, no network: the step is the sum of its kernel times") {
  // step = host + embedding + head + sampling
  //        + layers x (attention + norm + gate + one expert's FFN)
  const std::vector<std::string> alone{"requests=1",
                                       "cluster.node.gpus=1",
                                       "model.experts=1",
                                       "model.top_k=1",
                                       "router.skew=0",
                                       "serving.step_overhead=1 ms",
                                       "model.weights=fp8_block",
                                       "traffic.input_tokens.mean=1",
                                       "traffic.output_tokens.mean=1",
                                       "model.layers=8"};
  const auto walk = run_small(alone);
  const ModelShape& model = walk->scenario().model;
  const LayerCosts costs(model, walk->simulation().parallel(), walk->costs());
  RankBatch batch;
  batch.chunks.push_back({1, 0});
  const Seconds layer =
      costs.attention(batch, 0, 1) + costs.router(1) + costs.experts(1).time({1, 1, 1});
  const Seconds step = Seconds{1e-3} + costs.ends(1, 1) + 8.0 * layer;
  CHECK(walk->simulation().instance(0).busy().value == Approx(step.value).epsilon(1e-12));
}

namespace {

RankBatch decodes_of(int rows, double context, int drafts = 0) {
  RankBatch batch;
  batch.decodes = rows;
  batch.decode_tokens = rows * (1 + drafts);
  batch.decode_context = rows * context;
  return batch;
}

RankBatch chunk_of(int tokens, int context) {
  RankBatch batch;
  batch.chunks.push_back({tokens, context});
  return batch;
}

struct SparseAndDense {
  std::unique_ptr<Walk> walk = run_small({"requests=1"});
  ModelShape model = with_index(32);
  SparseIndex index{model, walk->costs()};
  LayerCosts sparse{model, Parallelism{}, walk->costs()};
  LayerCosts dense{with_index(0), Parallelism{}, walk->costs()};

  static ModelShape with_index(int heads) {
    ModelShape m = read_model("glm-5");
    m.weights = m.attention_weights = Dtype::fp8_block;
    m.attention.index_heads = heads;
    return m;
  }
};

}  // namespace

// attention = scores over the whole context + min(context, top_k) keys
TEST_CASE("beyond its top_k the indexer reads a longer context, attention does not") {
  const SparseAndDense s;
  Seconds before{0};
  for (const double context : {128., 2048., 8192., 65536.}) {
    INFO(context << " tokens");
    const RankBatch batch = decodes_of(32, context);
    const Seconds scored = s.index.scores(batch, 1);
    CHECK(scored > before);
    before = scored;
    const Seconds read = s.dense.attention_core(decodes_of(32, std::min(context, 2048.)), 0, 1);
    CHECK(s.sparse.attention_core(batch, 0, 1).value == Approx((scored + read).value));
    CHECK((s.sparse.attention_gemms(batch, 1) - s.dense.attention_gemms(batch, 1)).value ==
          Approx(s.index.projections(32).value));
  }
  const RankBatch far = decodes_of(32, 65536);
  CHECK(s.sparse.attention_core(far, 0, 1) < s.dense.attention_core(far, 0, 1));
}

TEST_CASE("an index of a prompt scores every pair once, in however many parts") {
  const SparseAndDense s;
  const double whole = s.index.scores(chunk_of(65536, 0), 1).value;
  CHECK(2 * s.index.scores(chunk_of(65536, 0), 0.5).value == Approx(whole).epsilon(0.01));
  CHECK(s.index.scores(chunk_of(32768, 0), 1).value +
            s.index.scores(chunk_of(32768, 32768), 1).value ==
        Approx(whole).epsilon(0.01));
  // Of a prompt much longer than top_k the kept pairs are tokens x top_k; within it all are.
  const double pairs = 131072. * 131072 / 2;
  CHECK(s.index.prefill_share(131072, 0) * pairs ==
        Approx(131072. * 2048 * (2 * 512 + 64) / (192 + 64 + 256)).epsilon(0.01));
  CHECK(s.index.prefill_share(2048, 0) == 1);
  CHECK(s.index.prefill_share(2049, 0) == 1);
}

TEST_CASE("rows that read no KV and drafts of one request add no keys") {
  const SparseAndDense s;
  RankBatch padded = decodes_of(8, 65536);
  padded.decodes = padded.decode_tokens = 64;
  padded.idle = 56;
  CHECK(s.index.kept_context(padded) * 64 == Approx(8 * 2048));
  CHECK(s.index.scores(padded, 1).value ==
        Approx(s.index.scores(decodes_of(8, 65536), 1).value));
  // Scores are 4 bytes, written once and read twice; a key is 132.
  const double alone = s.index.scores(decodes_of(32, 65536), 1).value;
  const double drafted = s.index.scores(decodes_of(32, 65536, 1), 1).value;
  CHECK(drafted > alone);
  CHECK(drafted < 1.5 * alone);
}

TEST_CASE("tokens routed = tokens x top_k, in every layer") {
  const auto walk = run_small();
  const ModelShape& model = walk->scenario().model;
  const auto& totals = walk->simulation().moe(0)->totals();
  const std::int64_t tokens = 200 * (256 + 31);  // the first output token comes with the prompt
  for (int layer = 0; layer < model.layers; ++layer) {
    const auto begin = totals.tokens.begin() + layer * model.experts;
    CHECK(std::accumulate(begin, begin + model.experts, std::int64_t{0}) ==
          tokens * model.top_k);
  }
}

TEST_CASE("bytes combined = bytes dispatched x ratio of the row sizes") {
  for (const char* transport : {"pairwise", "low_latency"}) {
    const auto walk = run_small(
        {"cluster.nodes=2", "model.experts=16", std::string("serving.transport=") + transport});
    // Dispatch enters a GPU, combine leaves it: over all GPUs, what is sent is what arrives.
    const Cluster& cluster = walk->cluster();
    const LinkLedger& ledger = walk->simulation().ledger();
    double up = 0;
    double down = 0;
    for (int g = 0; g < cluster.gpus(); ++g) {
      const GpuPlace& place = cluster.place(GpuId{g});
      up += ledger.bytes(place.up).value;
      down += ledger.bytes(place.down).value;
    }
    CHECK(up > 0);
    CHECK(up == Approx(down).epsilon(1e-9));
  }
  // The same demand, both ways, through a ledger each.
  const auto walk = run_small({"cluster.nodes=2", "model.experts=16"});
  const ModelShape& model = walk->scenario().model;
  const MoeNetwork& network = *walk->simulation().networks(0).front();
  CHECK(network.combine_row() / network.dispatch_row() ==
        Approx(2.0 / info(model.dispatch).activation_bytes));
}

TEST_CASE("utilizations are between 0 and 1") {
  const auto walk =
      run_small({"traffic.arrivals.rate=500", "cluster.nodes=2", "model.experts=16"});
  const Result result = walk->result("test");
  for (const GpuResult& gpu : result.gpus) {
    CHECK(gpu.utilization > 0);
    CHECK(gpu.utilization <= 1);
  }
  for (const LinkResult& link : result.links) CHECK(link.utilization <= 1);
  CHECK(result.utilization.achieved_flops > 0);
  CHECK(result.utilization.achieved_flops <= 1);
}

TEST_CASE("more skew never raises balancedness") {
  double before = 1;
  for (const char* sigma : {"0", "0.2", "0.5", "1.0", "1.5"}) {
    const auto walk = run_small({std::string("router.skew=") + sigma, "requests=100"});
    const double balancedness = walk->result("test").balance.balancedness;
    CHECK(balancedness <= before + 1e-9);
    before = balancedness;
  }
}

TEST_CASE("the causes of every request add up to its latency") {
  const auto walk = run_small({"serving.tp=4", "traffic.arrivals.rate=200"});
  const Simulation& simulation = walk->simulation();
  const auto& records = simulation.recorder().records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Seconds latency = records[i].e2el();
    CHECK(simulation.blame().until_end(RequestId{i}, latency).sum() ==
          Approx(latency.value).epsilon(1e-9));
  }
}

TEST_CASE("hiding communication never makes a step longer") {
  const auto mean_step = [](const char* overlap) {
    const auto walk =
        run_small({"cluster.nodes=2", "model.experts=16", "requests=100",
                   "serving.transport=node_dedup", std::string("serving.overlap=") + overlap});
    const Instance& instance = walk->simulation().instance(0);
    return instance.busy().value / static_cast<double>(instance.steps());
  };
  const double plain = mean_step("none");
  CHECK(mean_step("shared_expert") <= plain * 1.001);
  CHECK(mean_step("single_batch") < plain);
}

// With compute W and communication C, and a share s of the GPU held while C lasts:
//   max(C, W) <= max(C, W + s min(C, W / (1 - s))) <= max(C, W / (1 - s)),
// never falling in s, and as without any share at s = 0.
TEST_CASE("multiprocessors that communication holds make two micro-batches slower") {
  const auto busy = [](const std::string& share) {
    const auto walk = run_small({"cluster.nodes=2", "model.experts=16", "requests=100",
                                 "serving.transport=node_dedup", "serving.overlap=two_batch",
                                 "serving.overlap_sm_share=" + share});
    const Instance& instance = walk->simulation().instance(0);
    return instance.busy().value / static_cast<double>(instance.steps());
  };
  double before = 0;
  for (const char* share : {"0", "0.1515", "0.5", "0.9"}) {
    const double now = busy(share);
    CHECK(now >= before * (1 - 1e-3));
    before = now;
  }
  CHECK(busy("0.5") > busy("0"));
}

TEST_CASE("throughput kernels hold 20 of 132 multiprocessors, low latency kernels none") {
  const auto network = [](const char* transport) {
    return run_small({"cluster.nodes=2", "model.experts=16", "requests=1",
                      std::string("serving.transport=") + transport});
  };
  const auto dedup = network("node_dedup");
  const auto low_latency = network("low_latency");
  for (const bool prefill : {true, false}) {
    CHECK(dedup->simulation().networks(0).front()->sm_share(prefill) == Approx(20.0 / 132));
    CHECK(low_latency->simulation().networks(0).front()->sm_share(prefill) == 0);
  }
}

// All GPUs of one attention rank have its tokens. Without a transport nothing is sent; with one
// each sends its part, so that what crosses is tokens x top_k rows, less those that stay.
TEST_CASE(
    "the GPUs of one attention rank send its tokens to experts where a transport is set") {
  const std::vector<std::string> tp{"serving.tp=8", "serving.dp=1", "serving.ep=8",
                                    "requests=20"};
  const auto sent = [&](const char* transport) {
    auto options = tp;
    options.push_back(std::string("serving.transport=") + transport);
    const auto walk = run_small(options);
    double sum = 0;
    for (const double b : walk->simulation().ledger().totals()) sum += b;
    const auto& tokens = walk->simulation().moe(0)->totals().rank_tokens;
    CHECK(std::accumulate(tokens.begin(), tokens.end(), 0.0) ==
          Approx(20.0 * (256 + 31) * 2 * walk->scenario().model.layers));
    return std::pair{!walk->simulation().networks(0).empty(), sum};
  };
  CHECK_FALSE(sent("auto").first);
  for (const char* transport : {"pairwise", "node_dedup", "low_latency", "nccl"}) {
    INFO(transport);
    const auto [dispatches, bytes] = sent(transport);
    CHECK(dispatches);
    CHECK(bytes > 0);
  }
  CHECK(sent("pairwise").second <= sent("low_latency").second * (1 + 1e-9));
}

TEST_CASE(
    "experts that begin when their own rows are there never end later than after a barrier") {
  // The same counts, one step: with finish times a GPU's experts need not wait for the slowest
  // dispatch, so slowest = max(finish + experts) - dispatch <= max(experts).
  const auto experts = [](const char* network) {
    const auto walk =
        run_small({"cluster.nodes=2", "model.experts=16", "router.skew=1.0", "requests=1",
                   "traffic.output_tokens.mean=1", "serving.transport=pairwise",
                   std::string("serving.network=") + network});
    const ExpertTotals& totals = walk->simulation().moe(0)->totals();
    return std::accumulate(totals.layer_expert_s.begin(), totals.layer_expert_s.end(), 0.0);
  };
  CHECK(experts("fluid") < experts("bound"));
}

TEST_CASE("twice the GPUs never lower the throughput of a balanced router") {
  double before = 0;
  for (const char* nodes : {"1", "2", "4"}) {
    const auto walk =
        run_small({std::string("cluster.nodes=") + nodes, "model.experts=32", "router.skew=0",
                   "requests=3000", "traffic.arrivals.rate=1000000"});
    const double throughput = 3000 / walk->simulation().duration().value;
    CHECK(throughput >= before);
    before = throughput;
  }
}
