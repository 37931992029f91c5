#include "sim/workload/source.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "sim/base/diagnostics.hpp"

using namespace moesim;

namespace {

std::vector<Request> all(RequestSource source) {
  std::vector<Request> requests;
  while (const auto r = source.next()) requests.push_back(*r);
  return requests;
}

TrafficOptions traffic(ArrivalProcess process, double rate) {
  TrafficOptions t;
  t.arrivals.process = process;
  t.arrivals.rate = PerSecond{rate};
  return t;
}

struct Gaps {
  double mean;
  double cv;
};

Gaps gaps_of(const std::vector<Request>& requests) {
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 1; i < requests.size(); ++i) {
    const double gap = (requests[i].arrival - requests[i - 1].arrival).value;
    sum += gap;
    squares += gap * gap;
  }
  const double n = static_cast<double>(requests.size() - 1);
  const double mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean) / mean};
}

int count_between(const std::vector<Request>& requests, double from, double to, int tenant) {
  int count = 0;
  for (const Request& r : requests) {
    if (r.tenant == tenant && r.arrival.value >= from && r.arrival.value < to) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("gaps have mean 1/rate and the process's coefficient of variation") {
  const auto check = [](TrafficOptions t, double cv) {
    const auto requests = all(RequestSource(t, 1, 100'000));
    REQUIRE(requests.size() == 100'000);
    CHECK(gaps_of(requests).mean == Approx(1.0 / 40).epsilon(0.02));
    CHECK(gaps_of(requests).cv == Approx(cv).margin(0.03).epsilon(0.03));
  };
  check(traffic(ArrivalProcess::poisson, 40), 1);
  check(traffic(ArrivalProcess::uniform, 40), 0);
  for (const double cv : {0.5, 2.0}) {
    auto t = traffic(ArrivalProcess::gamma, 40);
    t.arrivals.cv = cv;
    check(t, cv);
  }
}

TEST_CASE("requests come in order of arrival and are numbered from zero") {
  auto t = traffic(ArrivalProcess::gamma, 10);
  t.tenants = {{.name = "a"}, {.name = "b", .share = 2}};
  const auto requests = all(RequestSource(t, 3, 5000));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    REQUIRE(requests[i].id.index() == i);
    if (i > 0) REQUIRE(requests[i - 1].arrival <= requests[i].arrival);
  }
}

TEST_CASE("the same seed gives the same requests and another seed gives others") {
  const auto t = traffic(ArrivalProcess::poisson, 10);
  CHECK(all(RequestSource(t, 1, 1000)) == all(RequestSource(t, 1, 1000)));
  CHECK(all(RequestSource(t, 1, 1000)) != all(RequestSource(t, 2, 1000)));
}

TEST_CASE("a tenant's part of the requests is its share of the shares") {
  auto t = traffic(ArrivalProcess::poisson, 10);
  t.tenants = {{.name = "a", .share = 3}, {.name = "b", .share = 1}};
  const auto requests = all(RequestSource(t, 5, 40'000));
  const int of_b = count_between(requests, 0, 1e9, 1);
  CHECK(of_b / 40'000.0 == Approx(0.25).epsilon(0.03));
}

TEST_CASE("a surge multiplies its tenant's rate while it lasts and leaves the others alone") {
  auto calm = traffic(ArrivalProcess::poisson, 100);
  calm.tenants = {{.name = "a", .share = 9}, {.name = "b", .share = 1}};
  auto hot = calm;
  hot.tenants[1].surge = {.at = Seconds{60}, .lasts = Seconds{30}, .times = 8};
  hot.tenants[1].surges = {{.at = Seconds{200}, .lasts = Seconds{50}, .times = 0}};
  const auto before = all(RequestSource(calm, 7, 40'000));
  const auto after = all(RequestSource(hot, 7, 40'000));
  // Rate of b: 10/s, 80/s in [60, 90), none in [200, 250).
  CHECK(count_between(after, 60, 90, 1) == Approx(2400).epsilon(0.05));
  CHECK(count_between(after, 90, 200, 1) == Approx(1100).epsilon(0.08));
  CHECK(count_between(after, 200, 250, 1) == 0);
  for (const double from : {0.0, 60.0, 90.0, 250.0}) {
    CHECK(count_between(after, from, from + 30, 0) ==
          count_between(before, from, from + 30, 0));
  }
}

TEST_CASE("a day's curve gives each part of the day its share of the requests") {
  auto t = traffic(ArrivalProcess::poisson, 50);
  t.arrivals.curve = {{Seconds{0}, 0.5}, {Seconds{100}, 1.5}};
  t.arrivals.period = Seconds{200};
  const auto requests = all(RequestSource(t, 9, 40'000));
  // From 0 the factor rises .5 -> 1 over 50 s: 50 x .75 x 50 = 1875 requests, each period.
  for (const double day : {0.0, 200.0, 400.0}) {
    CHECK(count_between(requests, day, day + 50, 0) == Approx(1875).epsilon(0.07));
    CHECK(count_between(requests, day + 50, day + 150, 0) == Approx(6250).epsilon(0.04));
  }
}

TEST_CASE("changing the lengths leaves the arrival times as they were") {
  auto t = traffic(ArrivalProcess::poisson, 10);
  const auto fixed = all(RequestSource(t, 1, 500));
  t.output_tokens = {.distribution = LengthDistribution::lognormal, .cv = 1};
  const auto varied = all(RequestSource(t, 1, 500));
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    REQUIRE(fixed[i].arrival == varied[i].arrival);
    REQUIRE(fixed[i].input_tokens == varied[i].input_tokens);
  }
}

TEST_CASE("a closed loop has concurrency requests at 0 and one more per request done") {
  TrafficOptions t;
  t.arrivals = {.process = ArrivalProcess::closed_loop, .concurrency = 4};
  t.arrivals.think_time = Seconds{2};
  RequestSource source(t, 1, 6);
  for (int i = 0; i < 4; ++i) REQUIRE(source.next()->arrival == Seconds{0});
  CHECK_FALSE(source.next());
  CHECK(source.next_after(Seconds{10})->arrival == Seconds{12});
  CHECK(source.next_after(Seconds{11})->arrival == Seconds{13});
  CHECK_FALSE(source.next_after(Seconds{12}));
  CHECK(source.made() == 6);
}

TEST_CASE("an open loop makes nothing when a request is done") {
  RequestSource source(traffic(ArrivalProcess::poisson, 1), 1, 10);
  CHECK_FALSE(source.next_after(Seconds{1}));
}

TEST_CASE("every fault of the traffic is told at once") {
  TrafficOptions t;
  t.arrivals.rate = PerSecond{-1};
  t.input_tokens.min = Tokens{0};
  t.length_correlation = 2;
  t.tenants = {{.name = "a", .share = -1}, {.name = "a", .share = 2}};
  try {
    RequestSource source(t, 1, 1);
    FAIL("accepted");
  } catch (const InputError& e) {
    CHECK(e.diagnostics().size() == 5);
    CHECK(std::string(e.what()).find("traffic.arrivals.rate is -1") != std::string::npos);
  }
}
