// Laws of what tensor-parallel GPUs send each other: in the ledger, as it is priced.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

namespace {

double sent_by(const Walk& walk, int gpu) {
  const Cluster& cluster = walk.cluster();
  return walk.simulation().ledger().bytes(cluster.place(GpuId{gpu}).up).value;
}

// Tokens that pass through the layers: the first output token comes with the prompt.
double tokens_of(const Walk& walk, int requests) {
  const TrafficOptions& traffic = walk.scenario().traffic;
  return requests * (traffic.input_tokens.mean.value + traffic.output_tokens.mean.value - 1);
}

}  // namespace

TEST_CASE("a rank of n GPUs sends two all-reduces per layer: 2 (n - 1) / n of each row") {
  // One attention rank has every token: attention, and the experts' parts, are added up.
  for (const int n : {2, 8}) {
    const auto walk = run_small({"cluster.node.gpus=" + std::to_string(n),
                                 "cluster.node.nics=" + std::to_string(n),
                                 "serving.tp=" + std::to_string(n), "requests=20"});
    const ModelShape& model = walk->scenario().model;
    const double row = 2.0 * model.hidden;
    const double each = tokens_of(*walk, 20) * model.layers * 2 * row * 2 * (n - 1) / n;
    for (int g = 0; g < n; ++g) CHECK(sent_by(*walk, g) == Approx(each).epsilon(1e-9));
    for (const auto& link : walk->result("test").links) CHECK(link.utilization <= 1);
  }
}

TEST_CASE("one GPU per rank has nothing to add up") {
  const auto walk = run_small(
      {"cluster.node.gpus=1", "cluster.node.nics=1", "model.weights=int4", "requests=5"});
  for (const double bytes : walk->simulation().ledger().totals()) CHECK(bytes == 0);
}

TEST_CASE("experts without a dispatch: ranks gather all tokens, and scatter the sums") {
  // Of one request its rank of 4 GPUs has all tokens; the 8 gather 2 ranks' rows, padded.
  const auto walk = run_small({"serving.tp=4", "serving.ep=1", "requests=1"});
  const ModelShape& model = walk->scenario().model;
  const double rows = tokens_of(*walk, 1) * model.layers * 2.0 * model.hidden;
  const double attention = rows * 2 * 3 / 4;
  const double experts = 2 * rows * 2 * 7 / 8;
  const bool first = sent_by(*walk, 0) > sent_by(*walk, 7);
  CHECK(sent_by(*walk, first ? 0 : 7) == Approx(attention + experts).epsilon(1e-9));
  CHECK(sent_by(*walk, first ? 7 : 0) == Approx(experts).epsilon(1e-9));
}

TEST_CASE("a rank over two nodes uses their NICs, each lane its share") {
  const auto walk =
      run_small({"cluster.nodes=2", "model.experts=16", "serving.tp=16", "requests=5"});
  const ModelShape& model = walk->scenario().model;
  const double rows = tokens_of(*walk, 5) * model.layers * 2 * 2.0 * model.hidden;
  for (const Nic& nic : walk->cluster().nics()) {
    CHECK(walk->simulation().ledger().bytes(nic.up).value ==
          Approx(rows / 8 * 2 * 1 / 2).epsilon(1e-9));
  }
}

TEST_CASE("stages hand rows on, and the ranks of the next gather them") {
  // up link of a GPU in stage 2: its layers' all-reduces, and (n - 1) / n of a row to gather.
  const auto walk = run_small({"serving.tp=4", "serving.pp=2", "requests=1", "model.layers=8"});
  const ModelShape& model = walk->scenario().model;
  const double row = tokens_of(*walk, 1) * 2.0 * model.hidden;
  const double reduced = 4 * 2 * row * 2 * 3 / 4;
  const double gathered = row * 3 / 4;
  // Sampled tokens go back to the first stage, four bytes each.
  const double back = 4.0 * walk->scenario().traffic.output_tokens.mean.value;
  CHECK(sent_by(*walk, 5) == Approx(reduced + gathered).epsilon(2 * back / reduced));
}

TEST_CASE("training sends its all-reduces forward and backward, and recomputing once more") {
  for (const bool again : {false, true}) {
    const auto walk =
        run_small({"serving.mode=training", "training.sequence=1024", "training.global_batch=4",
                   "training.steps=1", "training.tp=8", "model.experts=0", "model.top_k=0",
                   "model.dense_layers=8", "model.layers=8", "model.dense_intermediate=4096",
                   std::string("training.recompute=") + (again ? "full" : "none")});
    const double rows = 4.0 * 1024 * 2 * walk->scenario().model.hidden;
    const double each = (again ? 3 : 2) * 8 * 2 * rows * 2 * 7 / 8;
    const LinkId up = walk->cluster().place(GpuId{3}).up;
    CHECK(walk->training()->ledger().bytes(up).value == Approx(each).epsilon(1e-9));
  }
}
