#include "calibrate/log_grid.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

using moesim::Beyond;
using moesim::LogAxis;
using moesim::LogGrid;

TEST_CASE("A power law is interpolated and extended exactly") {
  // f(x, y) = 3 x^0.7 y^-1.3 is linear in the logarithms.
  const std::vector<double> x{1, 1.5, 8, 100}, y{2, 3, 50};
  const auto f = [](double a, double b) { return 3 * std::pow(a, 0.7) * std::pow(b, -1.3); };
  std::vector<double> values;
  for (const double a : x) {
    for (const double b : y) values.push_back(f(a, b));
  }
  const LogGrid grid(LogAxis(x), LogAxis(y), values);
  for (const double a : {0.5, 1.0, 1.2, 1.5, 7.0, 8.0, 99.0, 100.0, 1000.0}) {
    for (const double b : {1.0, 2.0, 2.5, 3.0, 49.0, 60.0}) {
      CHECK(grid.at(a, b) == Approx(f(a, b)).epsilon(1e-5));
    }
  }
}

TEST_CASE("A clamped grid keeps its last value") {
  const std::vector<double> x{1, 10}, one{1}, values{5, 50};
  const LogGrid grid(LogAxis(x), LogAxis(one), values, Beyond::clamp);
  CHECK(grid.at(0.1) == Approx(5));
  CHECK(grid.at(1e6) == Approx(50));
}

TEST_CASE("Close knots on both sides of a step are kept apart") {
  const std::vector<double> x{1, 64, 64.5, 4096}, one{1}, values{1, 1, 2, 2};
  const LogGrid grid(LogAxis(x), LogAxis(one), values);
  CHECK(grid.at(63.9) == Approx(1));
  CHECK(grid.at(64.6) == Approx(2));
  CHECK(grid.at(64.25) > 1.3);
}
