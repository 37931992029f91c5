// The uneven loads of the public tables, drawn by their benchmark's law.
#include "calibrate/power_law.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <utility>

using namespace moesim;

TEST_CASE("A drawn load has all assignments, none above the tokens, as the law says") {
  Stream random(7, "power law");
  for (const double tokens : {1.0, 7.0, 64.0, 5000.0}) {
    for (const auto& [experts, ranks] :
         {std::pair{256, 1}, {256, 32}, {256, 256}, {8, 8}, {8, 2}}) {
      for (const double alpha : {0.6, 1.0, 1.2}) {
        for (int draw = 0; draw < 20; ++draw) {
          const auto loads = draw_loads({tokens, 8, experts, ranks, alpha}, random);
          double sum = 0, most = 0;
          for (const double load : loads) {
            REQUIRE(load == std::floor(load));
            REQUIRE(load >= 0);
            sum += load;
            most = std::max(most, load);
          }
          REQUIRE(sum == 8 * tokens);
          REQUIRE(most <= tokens);
        }
      }
    }
  }
}

TEST_CASE("The power law is continuous in its exponent, through one") {
  const auto most = [](double alpha) {
    return power_law_load({1024, 8, 256, 1, alpha}).most_loaded;
  };
  CHECK(most(1) == Approx(most(1.001)).epsilon(0.02));
  CHECK(most(1) == Approx(most(0.999)).epsilon(0.02));
}
