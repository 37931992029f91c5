// The dense model beside an MoE model: as many parameters, the same load.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"
#include "tools/walk/dense.hpp"

using namespace moesim;

TEST_CASE("the dense counterpart has the parameters that it is named after, and no experts") {
  const Scenario moe = small_scenario();
  const Scenario active = dense_counterpart(moe, "active");
  const Scenario total = dense_counterpart(moe, "total");
  CHECK(active.model.experts == 0);
  CHECK(total_params(active.model) == Approx(active_params(moe.model)).epsilon(0.002));
  CHECK(total_params(total.model) == Approx(total_params(moe.model)).epsilon(0.002));
  CHECK(total.serving.tp * total.serving.instances == 8);
  CHECK(dense_counterpart(moe, "llama-3.3-70b").model.name != moe.model.name);
  CHECK_THROWS_AS(dense_counterpart(moe, "mixtral-8x7b"), InputError);
}

TEST_CASE("the FFNs of a dense counterpart are in the experts' number format") {
  // They stand for the experts: fp8 experts beside bf16 shared ones were once compared with a
  // dense model in bf16, of twice the bytes.
  const Scenario moe = small_scenario({"model.weights=fp8", "model.ffn_weights=bf16"});
  for (const char* which : {"active", "total", "llama-3.3-70b"}) {
    const ModelShape dense = dense_counterpart(moe, which).model;
    CHECK(ffn_dtype(dense) == Dtype::fp8);
    CHECK(dense.weights == Dtype::fp8);
  }
}

TEST_CASE("a dense counterpart serves the same requests") {
  Walk walk(dense_counterpart(small_scenario({"requests=50"}), "active"),
            [](Cluster& cluster) { return make_analytic_machine(cluster); });
  walk.run([](double, Seconds) { return true; });
  CHECK(walk.result("test").summary.requests.finished == 50);
}
