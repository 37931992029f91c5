// What --vary says.
#include <catch2/catch.hpp>

#include "sim/base/diagnostics.hpp"
#include "tools/fleet/variants.hpp"

using namespace moesim;

TEST_CASE("a list of values is split at commas outside of quotes and brackets") {
  const Axis axis = parse_axis("placement.strategy = linear, eplb ,hypergraph");
  CHECK(axis.key == "placement.strategy");
  CHECK(axis.values == std::vector<std::string>{"linear", "eplb", "hypergraph"});
  CHECK(parse_axis("a=[1, 2],[3]").values == std::vector<std::string>{"[1, 2]", "[3]"});
  CHECK(parse_axis("a={ b = 1, c = 2 }").values.size() == 1);
  CHECK(parse_axis("a='x,y',z").values == std::vector<std::string>{"'x,y'", "z"});
}

TEST_CASE("from:to:step holds both ends, in round numbers, with the unit after the last") {
  CHECK(parse_axis("a=1:4:1").values == std::vector<std::string>{"1", "2", "3", "4"});
  CHECK(parse_axis("a=0:0.3:0.1").values == std::vector<std::string>{"0", "0.1", "0.2", "0.3"});
  CHECK(parse_axis("a=4:1:-2").values == std::vector<std::string>{"4", "2"});
  CHECK(parse_axis("a=10:20:10 req/s").values ==
        std::vector<std::string>{"10 req/s", "20 req/s"});
  CHECK(parse_axis("a=c:/x:y").values == std::vector<std::string>{"c:/x:y"});
}

TEST_CASE("a wrong --vary is refused with what would be right") {
  for (const char* text : {"", "a", "=1", "a=", "a=1,,2", "a=1,1", "a=1:2:0", "a=1:2:-1",
                           "a=1 s:2 ms:1 s", "a=0:1:1e-9"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_axis(text), InputError);
  }
  CHECK_THROWS_AS(parse_axes({"a=1", "a=2"}), InputError);
}

TEST_CASE("the variants are all combinations, the last key fastest") {
  const auto variants = all_variants(parse_axes({"a=1,2", "b=x,y,z"}));
  REQUIRE(variants.size() == 6);
  CHECK(variants[0].label == "1, x");
  CHECK(variants[1].label == "1, y");
  CHECK(variants[3].settings == std::vector<std::string>{"a=2", "b=x"});
  CHECK(variants[5].position == 5);
  CHECK(all_variants({}).size() == 1);
}
