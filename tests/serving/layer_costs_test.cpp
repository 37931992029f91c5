// What the layers of a model cost on a GPU, in the number formats of their parts.
#include "sim/serving/layer_costs.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

// All in bf16; MLA is none, so that the output projection is hidden x (heads x head_dim).
ModelShape shape() {
  ModelShape m;
  m.layers = 2;
  m.dense_layers = 1;
  m.hidden = 4096;
  m.dense_intermediate = 8192;
  m.moe_intermediate = 2048;
  m.shared_intermediate = 4096;
  m.experts = 16;
  m.top_k = 2;
  m.vocab = 32000;
  m.attention.heads = 32;
  m.attention.kv_heads = 8;
  m.attention.head_dim = 128;
  return m;
}

constexpr double kTokens = 2048;

struct Prices {
  double dense, shared, gemms, core, ends, experts;
};

Prices prices(const ModelShape& model, const CostModel& costs) {
  const LayerCosts layers(model, {}, costs);
  RankBatch batch;
  batch.chunks.push_back({static_cast<int>(kTokens), 0});
  return {layers.dense_ffn(kTokens).value,
          layers.shared_experts(kTokens).value,
          layers.attention_gemms(batch, 1).value,
          layers.attention_core(batch, 0, 1).value,
          layers.ends(kTokens, 1).value,
          layers.experts(16).time({2 * kTokens, 16, 2 * kTokens / 16}).value};
}

// What a GEMM costs less in fp8 than in bf16.
double saved(const CostModel& costs, double n, double k) {
  return (costs.gemm(n, k, Dtype::bf16).time(kTokens) -
          costs.gemm(n, k, Dtype::fp8_block).time(kTokens))
      .value;
}

}  // namespace

TEST_CASE("model.ffn_weights changes the price of dense FFNs and shared experts alone") {
  // GEMMs of a gated FFN of width w: 2 w x hidden, then hidden x w.
  const CostModel costs(load_profile("h200-sxm/sglang"));
  ModelShape model = shape();
  const Prices bf16 = prices(model, costs);
  model.ffn_weights = Dtype::fp8_block;
  const Prices fp8 = prices(model, costs);
  CHECK(bf16.dense - fp8.dense ==
        Approx(saved(costs, 2 * 8192, 4096) + saved(costs, 4096, 8192)));
  CHECK(bf16.shared - fp8.shared ==
        Approx(saved(costs, 2 * 4096, 4096) + saved(costs, 4096, 4096)));
  CHECK(fp8.dense < bf16.dense);
  CHECK(fp8.shared < bf16.shared);
  CHECK(fp8.gemms == bf16.gemms);
  CHECK(fp8.core == bf16.core);
  CHECK(fp8.ends == bf16.ends);
  CHECK(fp8.experts == bf16.experts);
}

TEST_CASE("model.output_weights changes the price of attention's output projection alone") {
  const CostModel costs(load_profile("h200-sxm/sglang"));
  ModelShape model = shape();
  const Prices bf16 = prices(model, costs);
  model.output_weights = Dtype::fp8_block;
  const Prices fp8 = prices(model, costs);
  CHECK(bf16.gemms - fp8.gemms == Approx(saved(costs, 4096, 32 * 128)));
  CHECK(fp8.gemms < bf16.gemms);
  CHECK(fp8.dense == bf16.dense);
  CHECK(fp8.shared == bf16.shared);
  CHECK(fp8.core == bf16.core);
  CHECK(fp8.ends == bf16.ends);
  CHECK(fp8.experts == bf16.experts);
}
