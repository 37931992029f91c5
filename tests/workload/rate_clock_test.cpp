#include "sim/workload/rate_clock.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

RatePoint point(double at, double times) { return {Seconds{at}, times}; }

}  // namespace

TEST_CASE("a constant rate r needs n / r for n events") {
  RateClock clock(PerSecond{4}, {}, Seconds{0}, {});
  CHECK(clock.after(2).value == Approx(0.5));
  CHECK(clock.after(1).value == Approx(0.75));
}

TEST_CASE("a ramp from 0 to 2r over T integrates to r T: t = T sqrt(n / (r T))") {
  const std::vector<RatePoint> ramp{point(0, 0), point(10, 2)};
  RateClock clock(PerSecond{3}, ramp, Seconds{0}, {});
  CHECK(clock.after(7.5).value == Approx(10 * std::sqrt(7.5 / 30)));
  CHECK(clock.after(22.5).value == Approx(10));
  CHECK(clock.after(6).value == Approx(11));  // stays at the last point's factor
}

TEST_CASE("a rate that falls to zero for good has no further event") {
  const std::vector<RatePoint> down{point(0, 1), point(10, 0)};
  RateClock clock(PerSecond{1}, down, Seconds{0}, {});
  CHECK(clock.after(4.9).value < 10);
  CHECK(std::isinf(clock.after(0.2).value));
  CHECK(std::isinf(clock.after(0.2).value));
}

TEST_CASE("two corners at the same time are a step") {
  const std::vector<RatePoint> step{point(0, 1), point(5, 1), point(5, 3)};
  RateClock clock(PerSecond{1}, step, Seconds{0}, {});
  CHECK(clock.after(5).value == Approx(5));
  CHECK(clock.after(3).value == Approx(6));
}

TEST_CASE("a periodic curve integrates to the same in every period") {
  // Triangle 0..2..0 over 10 s: 10 events a period at rate 1.
  const std::vector<RatePoint> day{point(0, 0), point(5, 2)};
  RateClock clock(PerSecond{1}, day, Seconds{10}, {});
  for (int i = 1; i <= 2000; ++i) REQUIRE(clock.after(10).value == Approx(10 * i));
}

TEST_CASE("a period whose first corner lies inside it closes over the seam") {
  const std::vector<RatePoint> day{point(2, 0), point(7, 2)};
  RateClock clock(PerSecond{1}, day, Seconds{10}, {});
  // From 0: the seam has 2 x 2/5 = .8, falling to 0 at 2: .8 events; then up to 2 at 7: 5.
  CHECK(clock.after(0.8).value == Approx(2));
  CHECK(clock.after(5).value == Approx(7));
  CHECK(clock.after(5).value == Approx(12));
}

TEST_CASE("surges that overlap multiply") {
  RateClock clock(PerSecond{1}, {}, Seconds{0},
                  {{Seconds{10}, Seconds{10}, 2}, {Seconds{15}, Seconds{10}, 3}});
  // 10 x 1, 5 x 2, 5 x 6, 5 x 3, then 1.
  CHECK(clock.after(10).value == Approx(10));
  CHECK(clock.after(10).value == Approx(15));
  CHECK(clock.after(30).value == Approx(20));
  CHECK(clock.after(15).value == Approx(25));
  CHECK(clock.after(7).value == Approx(32));
}

TEST_CASE("the clock is additive: n then m events end where n + m do") {
  REQUIRE(rc::check("additive", [] {
    const auto factor = [] { return *rc::gen::inRange(1, 50) / 10.0; };
    std::vector<RatePoint> curve;
    double at = 0;
    for (int i = 0, n = *rc::gen::inRange(0, 5); i < n; ++i) {
      at += *rc::gen::inRange(0, 40) / 10.0;
      curve.push_back(point(at, factor()));
    }
    const double period = *rc::gen::arbitrary<bool>() ? at + 1 : 0;
    const std::vector<SurgeOptions> surges{{Seconds{factor()}, Seconds{factor()}, factor()}};
    RateClock once(PerSecond{2}, curve, Seconds{period}, surges);
    RateClock twice(PerSecond{2}, curve, Seconds{period}, surges);
    const double n = factor() * 10;
    const double m = factor() * 10;
    const double whole = once.after(n + m).value;
    twice.after(n);
    const double parts = twice.after(m).value;
    RC_ASSERT(std::abs(whole - parts) < 1e-9 * (1 + whole));
  }));
}
