#include "sim/router/router_watch.hpp"

#include <catch2/catch.hpp>
#include <numeric>

#include "sim/router/load_metrics.hpp"

using namespace moesim;

namespace {

const RouterShape kShape{.layers = 3, .experts = 32, .top_k = 4};

long sum_of(const std::vector<LoadWindow>& windows) {
  long sum = 0;
  for (const LoadWindow& w : windows) {
    sum = std::accumulate(w.tokens.begin(), w.tokens.end(), sum);
  }
  return sum;
}

}  // namespace

TEST_CASE("windows widen with the run, are 32 at most, and lose no token") {
  Router router({}, kShape, 1);
  RouterWatch watch(router);
  ExpertCounts counts;
  long steps = 0;
  for (int second = 0; second < 500; second += 3) {
    router.counts({.tokens = 10}, counts);
    watch.step(Seconds{second * 1.0}, {.tokens = 10}, counts);
    ++steps;
    CHECK(watch.windows().size() <= RouterWatch::kMostWindows);
    CHECK(sum_of(watch.windows()) == steps * 10 * 4 * 3);
  }
  CHECK(watch.width() == Seconds{16});
  long seen = 0;
  for (const LoadWindow& w : watch.windows()) seen += w.steps;
  CHECK(seen == steps);
  CHECK(watch.windows(Seconds{64}).size() == 8);  // [0, 500) in pieces of 64
  CHECK(sum_of(watch.windows(Seconds{64})) == steps * 10 * 4 * 3);
}

TEST_CASE("the loss over a run is the token-weighted mean of the steps' losses") {
  Router router({}, kShape, 1);
  RouterWatch watch(router);
  ExpertCounts counts;
  std::vector<double> expected(3);
  for (int step = 0; step < 50; ++step) {
    const int tokens = 20 + step;
    router.counts({.tokens = tokens}, counts);
    watch.step(Seconds{step * 1.0}, {.tokens = tokens}, counts);
    for (std::size_t l = 0; l < 3; ++l) {
      expected[l] += tokens * balance_loss(std::span<const int>(counts).subspan(l * 32, 32),
                                           router.inclusion().subspan(l * 32, 32));
    }
  }
  for (std::size_t l = 0; l < 3; ++l) {
    CHECK(watch.balance_loss()[l] == Approx(expected[l]).epsilon(1e-5));
    CHECK(expected[l] > 50 * 44.5);  // an uneven router's loss is above 1
  }
}

TEST_CASE("domains' loads sum to the tokens of each, on the experts that each prefers") {
  RouterOptions options;
  options.domain_sigma = 1;
  Router router(options, kShape, 1, {"code", "law"});
  RouterWatch watch(router);
  ExpertCounts counts;
  const std::vector<double> share{30, 10};
  for (int step = 0; step < 100; ++step) {
    const StepMix mix{.tokens = 40, .share = share};
    router.counts(mix, counts);
    watch.step(Seconds{step * 1.0}, mix, counts);
  }
  CHECK(watch.domain_tokens() == std::vector<double>{3000, 1000});
  for (int d = 0; d < 2; ++d) {
    const auto load = watch.domain_load(d);
    const double tokens = watch.domain_tokens()[static_cast<std::size_t>(d)];
    for (std::size_t i = 0; i < load.size(); ++i) {
      CHECK(load[i] == Approx(tokens * static_cast<double>(router.inclusion_of(d)[i])));
    }
    CHECK(std::accumulate(load.begin(), load.end(), 0.0) == Approx(tokens * 4 * 3));
  }
}

TEST_CASE("balance pressure displaces more router mass the stronger it is, dropout its share") {
  double last = 0;
  for (const double pressure : {0.0, 0.25, 0.5, 1.0}) {
    RouterOptions options;
    options.balance_pressure = pressure;
    const Router router(options, kShape, 1);
    for (const double d : router.displaced()) {
      CHECK(d <= 1);
      CHECK((pressure == 0 ? d == 0 : d > 0));
    }
    const double sum =
        std::accumulate(router.displaced().begin(), router.displaced().end(), 0.0);
    CHECK(sum >= last);
    last = sum;
  }
  RouterOptions options;
  options.expert_dropout = 0.25;
  CHECK(Router(options, kShape, 1).displaced()[0] == Approx(0.25));
}

TEST_CASE("an expert's active steps are those in which it has a token") {
  Router router({}, {.layers = 1, .experts = 4, .top_k = 2}, 1);
  RouterWatch watch(router);
  watch.step(Seconds{0}, {.tokens = 2}, std::vector<int>{2, 1, 1, 0});
  watch.step(Seconds{1}, {.tokens = 2}, std::vector<int>{2, 2, 0, 0});
  CHECK(watch.active() == std::vector<double>{5});
}
