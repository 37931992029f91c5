// Parameters and memory of a training step.
#include "sim/training/weights.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "sim/base/diagnostics.hpp"

using namespace moesim;

namespace {

ModelShape small_moe() {
  ModelShape m;
  m.layers = 6;
  m.dense_layers = 1;
  m.hidden = 512;
  m.dense_intermediate = 2048;
  m.moe_intermediate = 256;
  m.experts = 16;
  m.top_k = 2;
  m.vocab = 1000;
  m.attention = {.heads = 8, .kv_heads = 2, .head_dim = 64};
  return m;
}

TrainingLayout layout_of(const ModelShape& model, TrainingOptions options, int gpus) {
  options.global_batch = gpus * options.micro_batch * 4;
  return resolve_layout(options, model, gpus);
}

}  // namespace

TEST_CASE("the parameters of all layers, ends and ranks are those of the model, once") {
  // Attention and FFN over tp, experts over ep, stages apart: sum x their divisors = the model.
  const ModelShape model = small_moe();
  for (const int pp : {1, 2, 3}) {
    const TrainingLayout layout = layout_of(model, {.tp = 2, .pp = pp, .ep = 4}, 8 * pp);
    double params = 0;
    for (int stage = 0; stage < layout.stages; ++stage) {
      const LayerRange layers = layers_of(model, layout.stages, stage);
      for (int layer = layers.first; layer < layers.end; ++layer) {
        const TrainedWeights w = layer_weights(model, layout, layer);
        // The router is whole on every GPU.
        const double router =
            is_moe_layer(model, layer) ? 1.0 * model.hidden * model.experts : 0;
        params += (w.shared - router) * layout.tp + router + w.experts * layout.ep;
      }
      params += end_weights(model, layout, stage).shared * layout.tp;
    }
    CHECK(params == Approx(total_params(model)).epsilon(1e-12));
  }
}

TEST_CASE("stages differ by at most one layer and hold every layer once") {
  ModelShape model = small_moe();
  model.layers = 61;
  for (const int stages : {1, 4, 8, 16, 61}) {
    int next = 0;
    for (int s = 0; s < stages; ++s) {
      const LayerRange range = layers_of(model, stages, s);
      CHECK(range.first == next);
      CHECK(range.count() >= 61 / stages);
      CHECK(range.count() <= 61 / stages + 1);
      next = range.end;
    }
    CHECK(next == 61);
  }
}

TEST_CASE("recomputing and dividing the optimizer need less memory, more ranks never more") {
  const ModelShape model = small_moe();
  const auto memory = [&](TrainingOptions options, int gpus) {
    return plan_training_memory(model, options, layout_of(model, options, gpus), Bytes{80e9},
                                0.9);
  };
  const TrainingMemory plain = memory({.ep = 4}, 8);
  CHECK(memory({.ep = 4, .recompute = Recompute::full}, 8).activations < plain.activations);
  CHECK(memory({.ep = 4, .shard_optimizer = false}, 8).optimizer > plain.optimizer);
  CHECK(memory({.ep = 4, .gradients = Dtype::bf16}, 8).gradients.value ==
        Approx(plain.gradients.value / 2));
  CHECK(memory({.ep = 8}, 8).used() < plain.used());
  CHECK(memory({.ep = 4}, 16).used() <= plain.used());
  // 12 bytes a parameter over the ranks that share it.
  const TrainingLayout alone = layout_of(model, {}, 1);
  CHECK(memory({}, 1).optimizer.value == Approx(12 * total_params(model)));
  CHECK(alone.replicas == 1);
}

TEST_CASE("numbers that do not divide are refused with both keys") {
  const ModelShape model = small_moe();
  const auto refuses = [&](TrainingOptions options, int gpus, const std::string& key) {
    try {
      static_cast<void>(resolve_layout(options, model, gpus));
      FAIL("accepted");
    } catch (const InputError& e) {
      CHECK(std::string(e.what()).find(key) != std::string::npos);
    }
  };
  refuses({.pp = 3}, 8, "training.pp");
  refuses({.pp = 7}, 7, "model.layers");
  refuses({.tp = 3}, 8, "training.tp");
  refuses({.ep = 3}, 8, "training.ep");
  refuses({.tp = 4, .ep = 2}, 8, "training.tp");
  refuses({.ep = 32}, 32, "model.experts");
  refuses({.global_batch = 12}, 8, "training.global_batch");
}
