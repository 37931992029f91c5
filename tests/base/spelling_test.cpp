#include "sim/base/spelling.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

TEST_CASE("the nearest known name is offered, a far one is not") {
  const std::vector<std::string> known{"linear", "eplb", "round_robin"};
  CHECK(did_you_mean("epbl", known) == "did you mean 'eplb'?");
  CHECK(did_you_mean("Linear", known) == "did you mean 'linear'?");
  CHECK(did_you_mean("zzzzzzzz", known).empty());
}

TEST_CASE("a swap of neighbours is one edit") {
  CHECK(edit_distance("rate", "raet") == 1);
  CHECK(edit_distance("", "abc") == 3);
}
