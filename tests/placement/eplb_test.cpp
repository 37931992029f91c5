#include <catch2/catch.hpp>

#include "sim/placement/strategy.hpp"

using namespace moesim;

TEST_CASE("the published example of EPLB is reproduced slot by slot") {
  PlacementProblem p{
      .layers = 2, .experts = 12, .slots = 16, .groups = 4, .nodes = 2, .gpus = 8};
  p.weights = {90, 132, 40,  61, 104, 165, 39,  4,   73,  56, 183, 86,
               20, 107, 104, 64, 19,  197, 187, 157, 172, 86, 16,  27};
  CHECK(place(p, {.strategy = "eplb"}).physical_to_logical ==
        std::vector{5, 6,  5, 7, 8, 4,  3, 4, 10, 9, 10, 2, 0, 1, 11, 1,
                    7, 10, 6, 8, 6, 11, 8, 9, 2,  4, 5,  1, 5, 0, 3,  1});
}
