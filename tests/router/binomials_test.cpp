#include "sim/router/binomials.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "sim/base/rng.hpp"

using namespace moesim;

namespace {

// P(X <= x), X ~ Binomial(n, p), term by term in double precision.
double at_most(int x, int n, double p) {
  double sum = 0;
  for (int k = 0; k <= x; ++k) {
    const double ways = std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0);
    sum += std::exp(ways + k * std::log(p) + (n - k) * std::log1p(-p));
  }
  return sum;
}

}  // namespace

TEST_CASE("Few successes are the inverse of the binomial's distribution") {
  // x is drawn where P(X <= x - 1) < u <= P(X <= x); u has 24 bits.
  constexpr double kRounding = 4e-6;
  for (const int n : {1, 2, 7, 25, 64, 300, 5000}) {
    for (const double mean : {0.01, 0.2, 0.9, 1.7, 2.9}) {
      if (mean / n > 0.99) continue;
      INFO(n << " tokens, mean " << mean);
      const std::vector<float> p(19, static_cast<float>(mean / n));  // more than one block
      const double exact = static_cast<double>(p.front());
      for (int step = 0; step < 64; ++step) {
        std::vector<std::uint64_t> bits(p.size());
        for (std::size_t i = 0; i < bits.size(); ++i) {
          bits[i] = (static_cast<std::uint64_t>(step) * 19 + i) * (1ULL << 24) / 1216 << 40;
        }
        std::vector<int> x(p.size());
        draw_binomials(n, p, 100, bits, x);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double u = static_cast<double>(bits[i] >> 40) * 0x1p-24;
          CHECK((x[i] >= 0 && x[i] <= n));
          CHECK(u <= at_most(x[i], n, exact) + kRounding);
          if (x[i] > 0) CHECK(u >= at_most(x[i] - 1, n, exact) - kRounding);
        }
      }
    }
  }
}

TEST_CASE("Binomials have the mean and variance they are asked for, certain ones are certain") {
  Stream random(11, "binomials");
  for (const auto& [n, p] : std::vector<std::pair<int, float>>{
           {64, 0.02F}, {64, 0.3F}, {512, 0.004F}, {512, 0.2F}, {8192, 0.03F}}) {
    INFO(n << " tokens, p " << p);
    constexpr int kDraws = 40000;
    const std::vector<float> all(kDraws, p);
    std::vector<std::uint64_t> bits(kDraws);
    for (auto& b : bits) b = random.bits();
    std::vector<int> x(kDraws);
    // So large a sum that no variance is added.
    draw_binomials(n, all, 1e9F, bits, x);
    double sum = 0, squares = 0;
    for (const int v : x) {
      sum += v;
      squares += static_cast<double>(v) * v;
    }
    const double mean = sum / kDraws;
    const double wanted = n * static_cast<double>(p);
    const double variance = wanted * (1 - static_cast<double>(p));
    // Four standard errors.
    CHECK(std::abs(mean - wanted) < 4 * std::sqrt(variance / kDraws));
    CHECK(squares / kDraws - mean * mean == Approx(variance).epsilon(0.04));
  }
  for (const int n : {1, 2, 500}) {
    std::vector<int> x(2);
    draw_binomials(n, std::vector<float>{0, 1}, 1, std::vector<std::uint64_t>(2, ~0ULL >> 1),
                   x);
    CHECK(x == std::vector<int>{0, n});
  }
}
