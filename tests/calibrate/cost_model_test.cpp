#include "calibrate/cost_model.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("Every shipped profile prices every kind of kernel, more work never for less") {
  for (const std::string& name : shipped_profiles()) {
    INFO(name);
    const CostModel model(load_profile(name));
    const ExpertCurve experts = model.experts({7168, 2048, 32, 8, Dtype::bf16, true});
    const GemmCurve gemm = model.gemm(7168, 2048, Dtype::bf16);
    const AttentionCurve attention =
        model.attention({AttentionConfig::Kind::gqa, 64, 8, 128, 0, 0, 0, 0, 0});
    double before = 0;
    for (double tokens = 32; tokens < 1e5; tokens *= 4) {
      const double expert = experts.time({tokens, 32, tokens / 32}).value;
      CHECK(expert > 0);
      CHECK(expert >= before * 0.95);
      before = expert;
      CHECK(gemm.time(4 * tokens) >= gemm.time(tokens) * 0.95);
      CHECK(attention.decode(8, 4 * tokens) >= attention.decode(8, tokens) * 0.95);
      CHECK(attention.prefill(4 * tokens, 0) >= attention.prefill(tokens, 0) * 0.95);
    }
    CHECK(experts.time({0, 0, 0}).value == 0);
  }
}
