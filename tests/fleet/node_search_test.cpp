// Doubling, then bisection, then a look at what lies below.
#include <catch2/catch.hpp>
#include <functional>

#include "tools/fleet/node_search.hpp"

using namespace moesim;

namespace {

struct Found {
  std::optional<int> nodes;
  int questions = 0;
};

Found search(int most, const std::function<NodeAnswer(int)>& answer) {
  NodeSearch search(most);
  Found found;
  while (const auto n = search.next()) {
    REQUIRE(*n >= 1);
    REQUIRE(*n <= most);
    search.tell(*n, answer(*n));
    REQUIRE(++found.questions <= most);  // no number is asked twice
  }
  found.nodes = search.found();
  return found;
}

NodeAnswer from(int needed, int nodes) {
  return nodes >= needed ? NodeAnswer::enough : NodeAnswer::too_few;
}

}  // namespace

TEST_CASE("the search finds the least that is enough, in at most 2 log2 + 3 questions") {
  for (int most = 1; most <= 70; ++most) {
    for (int needed = 1; needed <= most + 1; ++needed) {
      const Found found = search(most, [&](int n) { return from(needed, n); });
      CAPTURE(most, needed);
      CHECK(found.nodes == (needed <= most ? std::optional(needed) : std::nullopt));
      int log = 0;
      while ((1 << log) < most) ++log;
      CHECK(found.questions <= 2 * log + 3);
    }
  }
}

TEST_CASE("a number that cannot be says nothing of the others") {
  // Of the numbers that can be, the least that is enough: whichever can.
  for (const int step : {1, 2, 3, 5, 7}) {
    for (int needed = 1; needed <= 40; ++needed) {
      const Found found = search(
          40, [&](int n) { return n % step == 0 ? from(needed, n) : NodeAnswer::impossible; });
      const int least = (needed + step - 1) / step * step;
      CAPTURE(step, needed);
      CHECK(found.nodes == (least <= 40 ? std::optional(least) : std::nullopt));
    }
  }
}

TEST_CASE("a number that is enough below one that is not is found when it is near") {
  // 6 is enough and 7 is not: bisection between 4 and 8 would stop at 8.
  const Found found = search(
      32, [](int n) { return n == 6 || n >= 8 ? NodeAnswer::enough : NodeAnswer::too_few; });
  CHECK(found.nodes == 6);
  const Found below = search(
      32, [](int n) { return n == 5 || n >= 7 ? NodeAnswer::enough : NodeAnswer::too_few; });
  CHECK(below.nodes == 5);
}
