// Doubling, then bisection.
#include <catch2/catch.hpp>

#include "tools/fleet/node_search.hpp"

using namespace moesim;

TEST_CASE("the search finds the least that is enough, in at most 2 log2 + 2 questions") {
  for (int most = 1; most <= 70; ++most) {
    for (int needed = 1; needed <= most + 1; ++needed) {
      NodeSearch search(most);
      int questions = 0;
      while (const auto n = search.next()) {
        REQUIRE(*n >= 1);
        REQUIRE(*n <= most);
        search.tell(*n, *n >= needed);
        ++questions;
      }
      CAPTURE(most, needed);
      if (needed <= most) {
        CHECK(search.found() == needed);
      } else {
        CHECK_FALSE(search.found());
      }
      int log = 0;
      while ((1 << log) < most) ++log;
      CHECK(questions <= 2 * log + 2);
    }
  }
}
