#include "sim/router/capacity.hpp"

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <numeric>

#include "sim/base/diagnostics.hpp"

using namespace moesim;

namespace {

CapacityResult limited(const std::vector<int>& counts, int capacity, Overflow overflow) {
  const std::vector<float> even(counts.size(), 1.0F / static_cast<float>(counts.size()));
  CapacityResult result;
  apply_capacity(counts, even, capacity, overflow, result);
  return result;
}

}  // namespace

TEST_CASE("capacity = ceil(factor x tokens x top_k / experts)") {
  CHECK(expert_capacity(1.0, 100, 2, 8) == 25);
  CHECK(expert_capacity(1.25, 100, 2, 8) == 32);
  CHECK(expert_capacity(1.0, 3, 1, 8) == 1);
}

TEST_CASE("dropping: what is past the capacity is lost, nothing else") {
  const CapacityResult r = limited({10, 2, 0, 4}, 4, Overflow::drop);
  CHECK(r.kept == std::vector<int>{4, 2, 0, 4});
  CHECK(r.dropped == 6);
  CHECK(r.padded == std::vector<int>{0, 0, 0, 0});
}

TEST_CASE("rerouting: overflow fills the others up to the capacity, the rest is dropped") {
  const CapacityResult r = limited({14, 2, 0, 4}, 4, Overflow::reroute);
  CHECK(r.kept == std::vector<int>{4, 4, 4, 4});
  CHECK(r.rerouted == 6);
  CHECK(r.dropped == 4);
}

TEST_CASE("padding: every expert computes exactly its capacity") {
  const CapacityResult r = limited({10, 2, 0, 4}, 4, Overflow::pad);
  CHECK(r.padded == std::vector<int>{0, 2, 4, 0});
}

TEST_CASE("an unknown overflow is refused with a hint") {
  CHECK_THROWS_AS(parse_overflow("dorp"), InputError);
  CHECK(parse_overflow("reroute") == Overflow::reroute);
}

TEST_CASE("kept + dropped = routed, and no expert is above its capacity") {
  CHECK(rc::check("any counts, any capacity, any overflow", [] {
    const auto counts =
        *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100)));
    const int capacity = *rc::gen::inRange(0, 60);
    const auto overflow = *rc::gen::element(Overflow::drop, Overflow::reroute, Overflow::pad);
    const CapacityResult r = limited(counts, capacity, overflow);
    RC_ASSERT(std::accumulate(r.kept.begin(), r.kept.end(), 0) + r.dropped ==
              std::accumulate(counts.begin(), counts.end(), 0));
    for (const int n : r.kept) RC_ASSERT(n <= capacity);
  }));
}
