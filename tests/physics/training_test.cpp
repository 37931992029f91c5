// Laws of a training step: the formula first, then the run.
#include <catch2/catch.hpp>
#include <numeric>

#include "sim/machine/group_collective.hpp"
#include "sim/scenario/validate.hpp"
#include "tests/physics/runs.hpp"
#include "tools/walk/collect_parts.hpp"
#include "tools/walk/collect_training.hpp"
#include "topology/gpu_ranges.hpp"

using namespace moesim;

namespace {

// A Mixtral of eight layers, on one node unless the overrides say otherwise.
std::unique_ptr<Walk> train(std::vector<std::string> overrides) {
  const std::vector<std::string> base{"serving.mode=training",    "model.layers=8",
                                      "training.global_batch=32", "training.sequence=1024",
                                      "training.steps=3",         "router.skew=0",
                                      "router.step_jitter=0",     "serving.transport=pairwise"};
  overrides.insert(overrides.begin(), base.begin(), base.end());
  return run_small(overrides);
}

TrainingResult result_of(const std::vector<std::string>& overrides) {
  return *train(overrides)->result("test").training;
}

double sum(const std::vector<NamedSeconds>& parts) {
  return std::accumulate(parts.begin(), parts.end(), 0.0,
                         [](double s, const NamedSeconds& p) { return s + p.seconds.value; });
}

double part(const std::vector<NamedSeconds>& parts, const std::string& name) {
  for (const NamedSeconds& p : parts) {
    if (p.name == name) return p.seconds.value;
  }
  FAIL("no part " << name);
  return 0;
}

double computing(const TrainingResult& t) {
  return part(t.passes, "forward") + part(t.passes, "backward") + part(t.passes, "recompute");
}

// Bytes that left the GPUs for experts: all but the ring that reduces fp32 gradients and
// gathers bf16 weights, of which each GPU sends (n - 1) / n.
double sent(const Walk& walk) {
  const TrainingRun& run = *walk.training();
  const ModelShape& model = walk.scenario().model;
  double shared = end_weights(model, run.layout(), 0).shared;
  double weights = 2 * shared;
  double experts = 0;
  for (int layer = 0; layer < model.layers; ++layer) {
    const TrainedWeights w = layer_weights(model, run.layout(), layer);
    shared += w.shared;
    experts += w.experts;
    weights += w.bytes.value;
  }
  const double n = run.layout().dp;
  const double each = 4 + weights / (shared + experts);
  double bytes = -static_cast<double>(run.steps().size()) * n * shared * each * (n - 1) / n;
  for (int g = 0; g < walk.cluster().gpus(); ++g) {
    bytes += walk.training()->ledger().bytes(walk.cluster().place(GpuId{g}).up).value;
  }
  return bytes;
}

}  // namespace

TEST_CASE("one GPU, one micro-batch, one stage: the training step is the sum of its parts") {
  // step = 3 x (embedding's third + head + dense FFN + projections) + 3.5 x scores + update
  const auto walk =
      train({"cluster.node.gpus=1", "model.experts=0", "model.top_k=0", "model.dense_layers=8",
             "model.dense_intermediate=4096", "training.global_batch=1"});
  const ModelShape& model = walk->scenario().model;
  const LayerCosts costs(model, {}, walk->costs());
  RankBatch batch;
  batch.chunks.push_back({1024, 0});
  const Seconds layer = 3.0 * (costs.attention_gemms(batch, 1) + costs.dense_ffn(1024)) +
                        3.5 * costs.attention_core(batch, 0, 1);
  const Seconds embedding = costs.ends(1024, 0);
  const Seconds head = costs.ends(1024, 1024) - embedding;
  // Adam reads a gradient and 12 bytes of state, and writes the state and a bf16 weight.
  const Seconds update =
      walk->costs().memory_bound(Bytes{total_params(model) * (4 + 12 + 12 + 2)});
  const Seconds step = 8.0 * layer + 2.0 * embedding + 3.0 * head + update;
  CHECK(walk->training()->steps().front().time.value == Approx(step.value).epsilon(1e-9));
}

TEST_CASE("the phases of a training step add up to it, and so do its passes") {
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {},
           {"training.pp=2", "training.ep=2", "router.skew=0.5"},
           {"training.pp=4", "training.tp=2", "training.recompute=full"},
           {"training.ep=4", "training.overlap=two_batch", "training.overlap_gradients=false"},
           {"cluster.nodes=2", "training.pp=2", "training.shard_optimizer=false",
            "router.capacity_factor=1", "router.overflow=drop", "router.skew=0.5"}}) {
    const auto walk = train(options);
    const TrainingResult t = *walk->result("test").training;
    const std::vector<double> cells = walk->series().phases_step.values;
    CHECK(std::accumulate(cells.begin(), cells.end(), 0.0) ==
          Approx(t.step_time.value).epsilon(1e-9));
    CHECK(sum(t.phases) == Approx(t.step_time.value).epsilon(1e-9));
    CHECK(sum(t.passes) == Approx(t.step_time.value).epsilon(1e-9));
    CHECK(t.mfu > 0);
    CHECK(t.mfu < 1);
  }
}

TEST_CASE("MFU is 6 N + 12 L H Q T flops per token, over the peak of all GPUs") {
  const auto walk = train({});
  const ModelShape& m = walk->scenario().model;
  const double flops = 6 * (active_params(m) - 1.0 * m.vocab * m.hidden) +
                       12.0 * m.layers * m.attention.heads * m.attention.head_dim * 1024;
  CHECK(training_flops_per_token(m, 1024).value == Approx(flops).epsilon(1e-12));
  const TrainingResult t = *walk->result("test").training;
  const double peak = peak_flops(walk->cluster(), m.weights).value;
  CHECK(t.mfu * peak * t.step_time.value == Approx(flops * 32 * 1024).epsilon(1e-9));
}

TEST_CASE("twice the attention ranks compute a sample in half the time") {
  // Twice the replicas: half the micro-batches each, of the same size.
  const TrainingResult one = result_of({"training.ep=8"});
  const TrainingResult two = result_of({"cluster.nodes=2", "training.ep=8"});
  CHECK(two.micro_batches * 2 == one.micro_batches);
  CHECK(computing(two) == Approx(computing(one) / 2).epsilon(0.01));
  // What is added is the network's: gradients of weights that one node alone never sends.
  CHECK(two.step_time.value - part(two.passes, "gradients") - part(two.passes, "optimizer") <
        0.51 * one.step_time.value);
}

TEST_CASE("even stages of a dense model idle for (p - 1) / (m + p - 1) of their passes") {
  // Wide layers and a small vocabulary: ends and transfers are next to nothing.
  for (const char* pp : {"2", "4"}) {
    const TrainingResult t =
        result_of({"model.experts=0", "model.top_k=0", "model.layers=32",
                   "model.dense_layers=32", "model.dense_intermediate=14336", "model.vocab=64",
                   "training.sequence=8192", "cluster.node.nvlink_bandwidth=1e18",
                   "training.recompute=full", std::string("training.pp=") + pp});
    const double idle = part(t.passes, "bubble") / (part(t.passes, "bubble") + computing(t));
    CHECK(idle == Approx(t.bubble_ideal).epsilon(0.03));
  }
}

TEST_CASE("full recomputation adds the forward pass of all layers, not of embedding and head") {
  const TrainingResult none = result_of({"training.pp=2"});
  const auto walk = train({"training.pp=2", "training.recompute=full"});
  const TrainingResult full = *walk->result("test").training;
  const LayerCosts costs(walk->scenario().model, {}, walk->costs());
  // The mean over the two stages, for all micro-batches.
  const double ends = costs.ends(1024, 1024).value * full.micro_batches / 2;
  CHECK(part(none.passes, "recompute") == 0);
  CHECK(part(full.passes, "recompute") ==
        Approx(part(full.passes, "forward") - ends).epsilon(1e-9));
  CHECK(full.activations < none.activations);
}

TEST_CASE("hiding communication or gradients never makes a training step longer") {
  const std::vector<std::string> wide{"cluster.nodes=4", "router.skew=0.3", "training.ep=8",
                                      "training.global_batch=128"};
  const auto step = [&](const std::string& setting) {
    auto options = wide;
    options.push_back(setting);
    return result_of(options).step_time.value;
  };
  CHECK(step("training.overlap=two_batch") < step("training.overlap=none"));
  CHECK(step("training.overlap=shared_expert") <= step("training.overlap=none"));
  CHECK(step("training.overlap_gradients=true") < step("training.overlap_gradients=false"));
}

TEST_CASE("what a capacity drops is neither computed nor sent") {
  // pairwise, one node, top-1: bytes = kept assignments x row x passes, less those to oneself.
  const std::vector<std::string> base{"model.top_k=1", "router.skew=1.0", "training.steps=2"};
  auto limited = base;
  limited.insert(limited.end(), {"router.capacity_factor=1", "router.overflow=drop"});
  const auto all = train(base);
  const auto some = train(limited);
  const TrainingResult t = *some->result("test").training;
  REQUIRE(t.dropped_share > 0.05);
  const auto kept = [](const Walk& walk) {
    const auto& ranks = walk.training()->experts().front()->totals().rank_tokens;
    return std::accumulate(ranks.begin(), ranks.end(), 0.0);
  };
  CHECK(kept(*some) / kept(*all) == Approx(1 - t.dropped_share).epsilon(1e-9));
  CHECK(sent(*some) / sent(*all) == Approx(1 - t.dropped_share).epsilon(0.02));
  CHECK(part(t.phases, "expert") < part(all->result("test").training->phases, "expert"));
}

TEST_CASE("a link's busbw is its bytes by the time that collectives ran, whichever they are") {
  // A dense model on one tensor-parallel rank of n GPUs sends all-reduces alone, as rings:
  // busbw = 2 (n - 1) / n x buffer / time of an all-reduce (nccl-tests, PERFORMANCE.md).
  const auto walk = train({"model.experts=0", "model.top_k=0", "model.dense_layers=8",
                           "model.dense_intermediate=4096", "training.tp=8"});
  const Cluster& cluster = walk->cluster();
  const RankGroup rank(cluster, gpus_from(GpuId{0}, 8));
  const Bytes buffer{2.0 * 1024 * walk->scenario().model.hidden};
  const Seconds time =
      GroupCollectives(rank.gpu_name()).time(GroupOp::all_reduce, rank, buffer).time;
  const std::vector<LinkResult> links = walk->result("test").links;
  const LinkResult& up = links[cluster.place(GpuId{0}).up.index()];
  CHECK(up.busbw.value == Approx((2.0 * 7 / 8 * buffer / time).value));
  // With experts, gradients and several nodes too no link carries more than it can.
  const auto moe = train({"cluster.nodes=2", "model.experts=16", "training.tp=8"});
  for (const LinkResult& link : moe->result("test").links) {
    INFO(link.name);
    CHECK(link.busbw <= link.bandwidth);
  }
}

TEST_CASE("a router without skew has no straggler, and skew costs time") {
  const TrainingResult even = result_of({});
  const TrainingResult skewed = result_of({"router.skew=0.8"});
  CHECK(part(even.phases, "expert_straggler") < 0.05 * part(even.phases, "expert"));
  CHECK(skewed.step_time > even.step_time);
}

TEST_CASE("the same training scenario and seed give the same steps, another seed others") {
  const auto times = [](const std::vector<std::string>& options) {
    std::vector<double> all;
    const auto walk = train(options);  // the steps are its own
    for (const TrainingStep& s : walk->training()->steps()) all.push_back(s.time.value);
    return all;
  };
  const std::vector<std::string> skewed{"router.skew=0.5", "training.ep=2"};
  CHECK(times(skewed) == times(skewed));
  CHECK(times(skewed) != times({"router.skew=0.5", "training.ep=2", "seed=2"}));
}

TEST_CASE("training refuses what it does not simulate, and what does not fit") {
  const auto refuses = [](std::vector<std::string> overrides, const std::string& word) {
    overrides.insert(overrides.begin(), "serving.mode=training");
    Diagnostics diagnostics;
    Scenario scenario = read_scenario_text(kSmall, "small.toml", overrides, diagnostics);
    validate(scenario, diagnostics);
    REQUIRE(diagnostics.has_errors());
    bool said = false;
    for (const Diagnostic& d : diagnostics.all()) {
      said = said || d.message.find(word) != std::string::npos;
    }
    CAPTURE(word);
    CHECK(said);
  };
  refuses({"placement.redundant_experts=8"}, "redundant");
  refuses({"training.pp=3"}, "training.pp");
  refuses({"training.tp=7"}, "attention heads");
  refuses({"training.micro_batch=64", "training.global_batch=512"}, "does not fit");
}
