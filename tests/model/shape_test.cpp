#include "sim/model/shape.hpp"

#include <catch2/catch.hpp>

#include "sim/scenario/scenario.hpp"

using namespace moesim;

TEST_CASE("every shipped model has the published number of parameters within 3 %") {
  const auto names = preset_names("models");
  REQUIRE(names.size() >= 24);
  for (const std::string& name : names) {
    const ModelShape model = read_model(name);
    if (model.official_total_params == 0) continue;  // none published
    CAPTURE(name, total_params(model), active_params(model));
    CHECK(total_params(model) == Approx(model.official_total_params).epsilon(0.03));
    CHECK(active_params(model, model.official_active_counting) ==
          Approx(model.official_active_params).epsilon(0.03));
  }
}

TEST_CASE("parameters = sum over layers of attention + FFN + router, + embedding + head") {
  // Mixtral-8x7B by hand: 32 layers of attention 2 h (32 + 8) 128, 8 experts of 3 h i, a
  // router 8 h; twice the vocabulary.
  const ModelShape m = read_model("mixtral-8x7b");
  const double h = 4096, i = 14336, attention = 2 * h * (32 + 8) * 128, expert = 3 * h * i;
  CHECK(expert_params(m) == expert);
  CHECK(attention_params(m) == 32 * attention);
  CHECK(total_params(m) == 32 * (attention + 8 * expert + 8 * h) + 2 * 32000 * h);
  CHECK(active_params(m) == 32 * (attention + 2 * expert + 8 * h) + 2 * 32000 * h);
}

TEST_CASE("MLA parameters = down, up and output projections of the DeepSeek-V2 report") {
  const ModelShape m = read_model("deepseek-v3");
  const double q = 7168.0 * 1536 + 1536.0 * 128 * 192, kv = 7168.0 * 576 + 512.0 * 128 * 256;
  CHECK(attention_params(m) == 61 * (q + kv + 128.0 * 128 * 7168));
  CHECK(kv_bytes_per_token(m).value == 61 * 576 * 2);
}

TEST_CASE("dense layers come first, or MoE layers lie evenly among them") {
  const ModelShape v3 = read_model("deepseek-v3");
  CHECK_FALSE(is_moe_layer(v3, 2));
  CHECK(is_moe_layer(v3, 3));
  CHECK(moe_layer_count(v3) == 58);
  const ModelShape maverick = read_model("llama-4-maverick");
  CHECK(moe_layer_count(maverick) == 24);
  CHECK(is_moe_layer(maverick, 1));
  CHECK_FALSE(is_moe_layer(maverick, 2));
  CHECK(moe_layer_count(read_model("llama-2-70b")) == 0);
}

TEST_CASE("a windowed layer's KV cache stops growing at the window") {
  const ModelShape m = read_model("gpt-oss-120b");  // 18 of 36 layers see 128 tokens
  const Bytes per_layer = kv_bytes_per_token(m) / 36;
  CHECK(kv_bytes(m, 100).value == Approx((100 * 36 * per_layer).value));
  CHECK(kv_bytes(m, 1000).value == Approx(((1000 + 128) * 18 * per_layer).value));
}

TEST_CASE("parts that a checkpoint quantises apart have bytes of their own formats") {
  ModelShape m = read_model("deepseek-v3");
  m.weights = m.attention_weights = Dtype::bf16;
  const double all = resident_bytes(m).value;
  const double output = 61.0 * 128 * 128 * 7168;
  const double ffn = 3.0 * 7168 * (3 * 18432 + 58 * 2048);
  m.output_weights = Dtype::fp8;
  CHECK(resident_bytes(m).value == Approx(all - output));
  m.ffn_weights = Dtype::fp8;
  CHECK(resident_bytes(m).value == Approx(all - output - ffn));
  m.weights = Dtype::fp8;  // routed experts: resident bytes are without them
  CHECK(resident_bytes(m).value == Approx(all - output - ffn));
}

TEST_CASE(
    "an indexer adds its projections, and one fp8 key with its scale per token and layer") {
  const ModelShape m = read_model("glm-5");
  ModelShape dense = m;
  dense.attention.index_heads = dense.attention.index_dim = 0;
  CHECK(attention_params(m) - attention_params(dense) ==
        Approx(78 * (2048.0 * 32 * 128 + 6144.0 * (128 + 32))));
  CHECK((kv_bytes_per_token(m) - kv_bytes_per_token(dense)).value == 78 * (128 + 4));
}

TEST_CASE("weights in memory = parameters x bytes of their formats") {
  ModelShape m = read_model("deepseek-v3");
  m.weights = m.attention_weights = Dtype::bf16;
  const Bytes all = resident_bytes(m) + moe_layer_count(m) * m.experts * expert_bytes(m);
  CHECK(all.value == Approx(2 * total_params(m)));
  m.weights = Dtype::fp8;
  CHECK(expert_bytes(m).value == expert_params(m));
}
