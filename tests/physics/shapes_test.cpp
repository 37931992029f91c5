// Laws of how steps are cut: padding of decodes, experts over GPUs.
#include <catch2/catch.hpp>

#include "tests/physics/runs.hpp"

using namespace moesim;

TEST_CASE("padding decodes to a captured graph never makes a step shorter") {
  const double exact = mean_tpot(*run_small());
  const double close = mean_tpot(*run_small({"serving.graph_sizes=[1,2,4,8,16,32,64,128]"}));
  const double coarse = mean_tpot(*run_small({"serving.graph_sizes=[128]"}));
  CHECK(close >= exact * (1 - 1e-9));
  CHECK(coarse > close);
}

TEST_CASE("experts may be divided over GPUs while attention is data parallel") {
  const auto walk = run_small({"serving.ep=4", "requests=50"});
  CHECK(walk->simulation().parallel().moe_tp == 2);
  CHECK(count_of(*walk, RequestState::finished) == 50);
}
