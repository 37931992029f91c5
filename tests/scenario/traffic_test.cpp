#include <catch2/catch.hpp>

#include "sim/scenario/scenario.hpp"
#include "sim/workload/source.hpp"

using namespace moesim;

namespace {

Scenario read(const std::string& text, const std::string& name = "a.toml") {
  Diagnostics diagnostics;
  Scenario s = read_scenario_text(text, name, {}, diagnostics);
  diagnostics.throw_if_errors();
  return s;
}

}  // namespace

TEST_CASE("curves, surges and a tenant's own lengths are read, written and generate requests") {
  Diagnostics diagnostics;
  const Scenario s =
      read_scenario(MOESIM_SOURCE "/scenarios/examples/day_of_traffic.toml", {}, diagnostics);
  diagnostics.throw_if_errors();
  REQUIRE(s.traffic.arrivals.curve.size() == 3);
  CHECK(s.traffic.arrivals.curve[1] == RatePoint{Seconds{240}, 1.6});
  REQUIRE(s.traffic.tenants.size() == 2);
  CHECK_FALSE(s.traffic.tenants[0].input_tokens);
  CHECK(s.traffic.tenants[1].input_tokens->mean == Tokens{12'000});
  CHECK(s.traffic.tenants[1].surges.size() == 2);
  CHECK(read(resolved_toml(s)) == s);
  RequestSource source(s.traffic, s.seed, 200);
  while (const auto r = source.next()) {
    if (r->tenant == 1) CHECK(r->output_tokens == 200);
  }
  CHECK(source.made() == 200);
}
