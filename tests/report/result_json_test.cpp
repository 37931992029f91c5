#include "tools/report/result_json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/report/sample.hpp"

using namespace moesim;
using Json = nlohmann::ordered_json;

TEST_CASE("equal results give the same bytes") {
  CHECK(to_json(sample_result()) == to_json(sample_result()));
  Result other = sample_result();
  other.utilization.gpu = 0.51;
  CHECK(to_json(other) != to_json(sample_result()));
}

TEST_CASE("the sections of result.json are those of the design, in its order") {
  const Json j = Json::parse(to_json(sample_result()));
  std::vector<std::string> keys;
  for (const auto& [key, value] : j.items()) keys.push_back(key);
  std::size_t at = 0;
  for (const char* wanted : {"schema_version", "version", "scenario", "seed", "provenance",
                             "metrics", "throughput", "utilization", "balance", "memory",
                             "cost", "slo", "gpus", "links", "tenants", "blame"}) {
    INFO(wanted);
    const auto found =
        std::find(keys.begin() + static_cast<std::ptrdiff_t>(at), keys.end(), wanted);
    REQUIRE(found != keys.end());
    at = static_cast<std::size_t>(found - keys.begin());
  }
}

TEST_CASE("a metric has unit, count, mean, percentiles, max and interval in base units") {
  const Json m = Json::parse(to_json(sample_result()))["metrics"]["ttft"];
  CHECK(m["unit"] == "s");
  CHECK(m["count"] == 2);
  CHECK(m["mean"] == 1.0);
  CHECK(m["small_sample"] == true);
  CHECK(m["interval"].is_null());
  for (const char* key : {"p50", "p90", "p99", "max"}) CHECK(m[key] == 1.0);
}

TEST_CASE("the seed is written whole and names stay what they are") {
  const Json j = Json::parse(to_json(sample_result()));
  CHECK(j["seed"] == 18446744073709551615ULL);
  CHECK(j["tenants"][0]["name"] == "<script>");
  CHECK(j["tenants"][1]["name"] == "a,\"b\"");
  CHECK(j["blame"][0]["straggler_gpus"][0]["gpu"] == "node0,gpu1");
  CHECK(j["blame"][0]["causes_s"]["queueing"] == 3.0);
}

TEST_CASE("a name that is not UTF-8 does not end the run") {
  Result r = sample_result();
  r.scenario = "bad \xff name";
  CHECK(Json::parse(to_json(r))["scenario"] == "bad \xef\xbf\xbd name");
}
