#include "sim/base/rng.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

struct Moments {
  double mean = 0;
  double variance = 0;
};

template <class Draw>
Moments moments(Draw draw, int n = 200000) {
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = static_cast<double>(draw());
    sum += x;
    squares += x * x;
  }
  const double mean = sum / n;
  return {mean, squares / n - mean * mean};
}

}  // namespace

TEST_CASE("the same seed, purpose and index give the same stream; others give others") {
  CHECK(Stream(1, "arrivals").bits() == Stream(1, "arrivals").bits());
  CHECK(Stream(1, "arrivals").bits() != Stream(1, "lengths").bits());
  CHECK(Stream(1, "arrivals").bits() != Stream(2, "arrivals").bits());
  CHECK(Stream(1, "arrivals", 1).bits() != Stream(1, "arrivals", 2).bits());
}

TEST_CASE("distributions have the mean and variance of their formula") {
  Stream s(7, "moments");
  const auto check = [](Moments m, double mean, double variance) {
    CHECK(m.mean == Approx(mean).epsilon(0.02).margin(0.01));
    CHECK(m.variance == Approx(variance).epsilon(0.05));
  };
  check(moments([&] { return s.uniform(); }), 0.5, 1.0 / 12);
  check(moments([&] { return s.normal(); }), 0, 1);
  check(moments([&] { return s.exponential(3); }), 3, 9);
  check(moments([&] { return s.gumbel(); }), 0.5772, M_PI * M_PI / 6);
  check(moments([&] { return s.gamma(0.5, 2); }), 1, 2);
  check(moments([&] { return s.gamma(4, 2); }), 8, 16);
  check(moments([&] { return s.lognormal(10, 0.5); }), 10, 25);
  for (const double mean : {0.3, 5.0, 80.0}) {
    check(moments([&] { return s.poisson(mean); }), mean, mean);
  }
  for (const double p : {0.001, 0.2, 0.5, 0.93}) {
    check(moments([&] { return s.binomial(500, p); }), 500 * p, 500 * p * (1 - p));
  }
}

TEST_CASE("a binomial never exceeds its trials") {
  Stream s(9, "binomial");
  for (int i = 0; i < 10000; ++i) REQUIRE(s.binomial(3, 0.99) <= 3);
  CHECK(s.binomial(10, 1) == 10);
  CHECK(s.binomial(10, 0) == 0);
}
