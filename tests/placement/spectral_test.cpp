#include "sim/placement/spectral.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <set>

#include "sim/placement/reach.hpp"
#include "sim/placement/strategy.hpp"
#include "sim/placement/token_traffic.hpp"
#include "tests/placement/sampler.hpp"

using namespace moesim;
using namespace moesim::testing;

TEST_CASE("eigenvalues of a path are 2 cos(pi i / (n + 1))") {
  constexpr int n = 12;
  std::vector<double> path(n * n, 0.0);
  for (std::size_t i = 0; i + 1 < n; ++i) path[i * n + i + 1] = path[(i + 1) * n + i] = 1;
  const auto values = largest_eigenvalues(path, n, n);
  for (int i = 1; i <= n; ++i) {
    CHECK(values[static_cast<std::size_t>(i - 1)] ==
          Approx(2 * std::cos(std::numbers::pi * i / (n + 1))).margin(1e-10));
  }
}

TEST_CASE("eigenvalues of a full matrix have its trace and its Frobenius norm") {
  constexpr int n = 20;
  Stream random(3, "matrix");
  std::vector<double> a(n * n, 0.0);
  double trace = 0;
  double square = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) a[i * n + j] = a[j * n + i] = random.normal();
    trace += a[i * n + i];
  }
  for (const double x : a) square += x * x;
  double sum = 0;
  double squares = 0;
  for (const double v : largest_eigenvalues(a, n, n)) {
    sum += v;
    squares += v * v;
  }
  CHECK(sum == Approx(trace).epsilon(1e-9));
  CHECK(squares == Approx(square).epsilon(1e-9));
}

TEST_CASE("no division of experts over nodes has fewer nodes per token than the bound") {
  CHECK(rc::check([](std::uint64_t seed) {
    Stream random(seed, "division");
    const int nodes = 2 + static_cast<int>(random.below(3));
    const int per_node = 2 + static_cast<int>(random.below(3));
    const int experts = nodes * per_node;
    constexpr std::size_t top_k = 3;
    std::vector<std::uint16_t> tokens;
    const int focus = static_cast<int>(random.below(2));  // half the cases keep to nodes
    for (int t = 0; t < 50; ++t) {
      std::set<int> token;
      const int first = static_cast<int>(random.below(static_cast<std::uint64_t>(nodes)));
      while (token.size() < top_k) {
        const bool stay = focus && token.size() < static_cast<std::size_t>(per_node);
        const auto range = static_cast<std::uint64_t>(stay ? per_node : experts);
        token.insert(static_cast<int>(random.below(range)) + (stay ? first * per_node : 0));
      }
      for (const int e : token) tokens.push_back(static_cast<std::uint16_t>(e));
    }
    double mean = 0;  // with experts in order over the nodes
    for (std::size_t t = 0; t < 50; ++t) {
      std::set<int> visited;
      for (std::size_t k = 0; k < top_k; ++k) visited.insert(tokens[t * top_k + k] / per_node);
      mean += static_cast<double>(visited.size()) / 50;
    }
    RC_ASSERT(nodes_per_token_bound({tokens, top_k}, experts, nodes, per_node) <=
              mean * (1 + 1e-9));
  }));
}

TEST_CASE("tokens that keep to whole nodes meet the bound") {
  // 4 experts on each of 2 nodes, top 4: a token takes a node's experts, all of them.
  const std::vector<std::uint16_t> tokens = {0, 1, 2, 3, 4, 5, 6, 7};
  CHECK(nodes_per_token_bound({tokens, 4}, 8, 2, 4) == Approx(1.0));
}

TEST_CASE("a token's copies by link kind add up to the GPUs and nodes it reaches") {
  const auto sampled = sampled_problem({.groups = 8, .top_groups = 4}, {.layers = 1}, 9);
  const Placement placement = place(sampled.problem, {.strategy = "eplb_global"});
  for (const char* dispatch : {"nearest", "random", "gather"}) {
    const auto policy = make_dispatch(dispatch, placement);
    const Reach reach(placement, *policy, sampled.problem.samples);
    const TokenTraffic t = token_traffic(reach.sampled(0));
    CHECK(t.nodes == Approx(reach.nodes_per_token(0)));
    CHECK(t.gpus == Approx(reach.ranks_per_token(0)));
    CHECK(t.remote_nodes <= t.nodes);
    CHECK(t.remote_nodes <= t.remote_gpus);
    CHECK(t.forwarded <= t.remote_gpus);
    CHECK(t.gpus - t.remote_gpus - t.near_gpus >= 0);
    CHECK(t.gpus - t.remote_gpus - t.near_gpus <= 1);
  }
}
