// What a pipeline stage holds, and the room that it leaves for KV.
#include "sim/serving/memory.hpp"

#include <catch2/catch.hpp>

#include "sim/base/diagnostics.hpp"

using namespace moesim;

namespace {

ModelShape shape(int layers) {
  ModelShape m;
  m.layers = layers;
  m.hidden = 1024;
  m.vocab = 32000;
  m.dense_layers = 1;
  m.dense_intermediate = 4096;
  m.experts = 8;
  m.top_k = 2;
  m.moe_intermediate = 2048;
  m.attention.heads = 16;
  m.attention.kv_heads = 8;
  m.attention.head_dim = 64;
  return m;
}

Parallelism stages(int pp, int tp) {
  ServingOptions options;
  options.pp = pp;
  options.tp = tp;
  return resolve_parallelism(options, pp * tp);
}

}  // namespace

TEST_CASE("GPUs of an instance = pp x dp x tp, and an EP group lies inside a stage") {
  ServingOptions options;
  options.pp = 2;
  options.tp = 2;
  const Parallelism p = resolve_parallelism(options, 16);
  CHECK(p.stage_gpus() == 8);
  CHECK(p.pp * p.dp * p.tp == p.gpus);
  CHECK(p.ep == 8);
  CHECK(p.moe_tp == 1);
  // GPU 13 is GPU 5 of the second stage: attention rank 5 / 2.
  CHECK(p.attention_rank(13) == 2);
  options.pp = 3;
  CHECK_THROWS_AS(resolve_parallelism(options, 16), InputError);
}

TEST_CASE("the layers of the stages are all layers, as even as can be") {
  const ModelShape model = shape(61);
  for (const int stages : {1, 2, 3, 4, 61}) {
    int next = 0;
    int moe = 0;
    for (int s = 0; s < stages; ++s) {
      const LayerRange layers = layers_of(model, stages, s);
      CHECK(layers.first == next);
      CHECK(layers.count() >= model.layers / stages);
      CHECK(layers.count() <= model.layers / stages + 1);
      moe += moe_layer_count(model, layers);
      next = layers.end;
    }
    CHECK(next == model.layers);
    CHECK(moe == moe_layer_count(model));
  }
}

TEST_CASE("weights and KV of the stages add up to the model's") {
  ModelShape model = shape(30);
  model.attention.sliding_window = 128;
  model.attention.full_layer_period = 4;
  Bytes weights{0}, per_token{0}, kv{0};
  for (int s = 0; s < 4; ++s) {
    const LayerRange layers = layers_of(model, 4, s);
    weights += resident_bytes(model, layers);
    per_token += kv_bytes_per_token(model, layers);
    kv += kv_bytes(model, 1000, layers);
  }
  CHECK(weights.value == Approx(resident_bytes(model).value).epsilon(1e-12));
  CHECK(per_token.value == Approx(kv_bytes_per_token(model).value).epsilon(1e-12));
  CHECK(kv.value == Approx(kv_bytes(model, 1000).value).epsilon(1e-12));
  // A tied embedding is one table, but both ends of a pipeline need it.
  model.tied_embeddings = true;
  Bytes tied{0};
  for (int s = 0; s < 4; ++s) tied += resident_bytes(model, layers_of(model, 4, s));
  CHECK(tied.value == Approx(resident_bytes(model).value + 2.0 * model.vocab * model.hidden));
}

TEST_CASE("KV room of an attention rank is that of its smallest stage, and grows about x pp") {
  const ModelShape model = shape(33);
  ServingOptions options;
  options.max_tokens_per_step = 64;
  const Bytes memory{40e9};
  // The same two GPUs: as two replicas of the model, or as two stages of one.
  const MemoryPlan replica = plan_memory(model, stages(1, 1), options, 8, memory);
  const MemoryPlan stage = plan_memory(model, stages(2, 1), options, 8, memory);
  // 17 of 33 layers are in the first stage: usable - its weights, over its KV of a token.
  const LayerRange first = layers_of(model, 2, 0);
  REQUIRE(first.count() == 17);
  const double weights =
      resident_bytes(model, first).value + 8.0 * 16 * expert_bytes(model).value;
  const double room = 0.9 * 40e9 - weights - stage.activations.value;
  const double tokens = room / kv_bytes_per_token(model, first).value;
  CHECK(stage.stage == 0);
  CHECK(stage.kv_tokens == static_cast<std::int64_t>(tokens / 64) * 64);
  // Two replicas hold every weight twice: for each token of theirs, more than one of a stage.
  CHECK(stage.kv_tokens > 2 * replica.kv_tokens);
  CHECK(stage.kv_tokens < 2.4 * replica.kv_tokens);
}
