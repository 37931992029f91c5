#include "sim/router/life.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "sim/base/diagnostics.hpp"
#include "sim/router/load_metrics.hpp"
#include "sim/router/router.hpp"

using namespace moesim;

namespace {

const RouterShape kShape{.layers = 3, .experts = 64, .top_k = 4};

RouterEventOptions event(const char* kind) {
  RouterEventOptions e;
  e.at = Seconds{10};
  e.kind = kind;
  e.steps = 100;
  return e;
}

Router router_with(std::vector<RouterEventOptions> events, double sigma = 0.6) {
  RouterOptions options;
  options.skew = "0";
  options.sigma = sigma;
  options.events = std::move(events);
  return {options, kShape, 1};
}

void run_steps(Router& router, int steps, double now) {
  ExpertCounts counts;
  for (int i = 0; i < steps; ++i) {
    router.advance(Seconds{now});
    router.counts({.tokens = 100}, counts);
  }
  router.advance(Seconds{now});
}

double sum(std::span<const float> pi) { return std::accumulate(pi.begin(), pi.end(), 0.0); }

}  // namespace

TEST_CASE("before its time an event changes nothing, and a new epoch says when it does") {
  Router router = router_with({event("prune")});
  const float before = router.inclusion()[0];
  const int epoch = router.epoch();
  router.advance(Seconds{9.9});
  CHECK(router.inclusion()[0] == before);
  CHECK(router.epoch() == epoch);
  router.advance(Seconds{10});
  CHECK(router.epoch() > epoch);
  CHECK(router.inclusion()[0] == 0);
  CHECK(sum(router.inclusion().first(64)) == Approx(4));
}

TEST_CASE("a pruned expert gets no token, neither in counts nor in samples") {
  Router router = router_with({event("prune")});
  run_steps(router, 1, 11);
  ExpertCounts counts;
  router.counts({.tokens = 10000}, counts);
  CHECK(counts[0] == 0);
  for (const int e : router.sample(1).expert) REQUIRE(e != 0);
}

TEST_CASE("an event for one layer leaves the others alone") {
  RouterEventOptions e = event("prune");
  e.layer = 1;
  Router router = router_with({e});
  const float before = router.inclusion()[0];
  router.advance(Seconds{10});
  CHECK(router.inclusion()[0] == Approx(before));
  CHECK(router.inclusion()[64] == 0);
}

TEST_CASE("collapse: after N steps the hot experts take the share, half-way less") {
  RouterEventOptions e = event("collapse");
  e.experts = 4;
  e.share = 0.5;
  Router router = router_with({e});
  const auto hot_share = [&router] {
    const std::vector<double> pi(router.inclusion().begin(), router.inclusion().begin() + 64);
    return top_share(std::span<const double>(pi), 4);
  };
  const double start = hot_share();
  run_steps(router, 50, 10);
  const double half = hot_share();
  run_steps(router, 60, 10);
  CHECK(start < half);
  CHECK(half < hot_share());
  CHECK(hot_share() == Approx(0.5).epsilon(0.2));  // the top-k saturates: pi is below 1
}

TEST_CASE("a new expert is absent, then takes its forced share, then has its own popularity") {
  RouterEventOptions e = event("new_expert");
  e.expert = 5;
  e.share = 0.2;
  const float own = router_with({}).inclusion()[5];
  Router router = router_with({e});
  router.advance(Seconds{1});
  CHECK(router.inclusion()[5] == 0);
  run_steps(router, 10, 10);
  CHECK(router.inclusion()[5] == Approx(0.2).epsilon(1e-3));
  CHECK(sum(router.inclusion().first(64)) == Approx(4));
  run_steps(router, 110, 10);
  CHECK(router.inclusion()[5] == Approx(own).epsilon(1e-3));
}

TEST_CASE("merged experts: one takes over what both had, the other nothing") {
  RouterEventOptions e = event("merge");
  e.expert = 2;
  e.other = 3;
  Router router = router_with({e});
  const double both = router.inclusion()[2] + router.inclusion()[3];
  router.advance(Seconds{10});
  CHECK(router.inclusion()[3] == 0);
  CHECK(router.inclusion()[2] == Approx(both).epsilon(0.05));  // a token takes it only once
}

TEST_CASE("a reinitialised expert has the layer's median popularity") {
  RouterEventOptions e = event("reinitialise");
  e.expert = 7;
  Router router = router_with({e}, 1.0);
  router.advance(Seconds{10});
  std::vector<float> pi(router.inclusion().begin(), router.inclusion().begin() + 64);
  const float self = pi[7];
  std::sort(pi.begin(), pi.end());
  CHECK(self == Approx(pi[32]).epsilon(0.1));
}

TEST_CASE("impossible events are all reported") {
  RouterEventOptions unknown = event("colapse");
  RouterEventOptions nowhere = event("prune");
  nowhere.expert = 64;
  RouterEventOptions itself = event("merge");
  try {
    router_with({unknown, nowhere, itself});
    FAIL("accepted");
  } catch (const InputError& e) {
    CHECK(e.diagnostics().size() == 3);
    CHECK(std::string(e.what()).find("did you mean 'collapse'") != std::string::npos);
  }
  std::vector<RouterEventOptions> all;
  for (int i = 0; i < 61; ++i) {
    all.push_back(event("prune"));
    all.back().expert = i;
  }
  CHECK_THROWS_AS(router_with(all), InputError);
}
