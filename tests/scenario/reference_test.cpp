#include "sim/scenario/reference.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "sim/base/diagnostics.hpp"

using namespace moesim;

TEST_CASE("explain tells what a key takes, its default and its meaning") {
  CHECK(explain_key("serving.tp") ==
        "serving.tp\n  GPUs per attention rank\n  takes:   a whole number, 1 to 65536\n"
        "  default: 1\n");
  CHECK(explain_key("serving.dp").find("default: all GPUs of a stage / tp") !=
        std::string::npos);
  CHECK(explain_key("placement.strategy").find("one of linear") != std::string::npos);
  CHECK(explain_key("model.preset").find("deepseek-v3") != std::string::npos);
  CHECK(explain_key("slo").find("[slo]") == 0);
}

TEST_CASE("a bare name is enough, and an element's index does not matter") {
  CHECK(explain_key("kv_block").find("serving.kv_block") == 0);
  CHECK(explain_key("fault[3].at") == explain_key("fault.at"));
  CHECK(explain_key("nodes").find("cluster.nodes") == 0);
}

TEST_CASE("an unknown key is met with the nearest one") {
  try {
    explain_key("serving.ttp");
    FAIL("did not throw");
  } catch (const InputError& e) {
    CHECK(e.diagnostics().front().hint == "did you mean 'serving.tp'?");
  }
}

TEST_CASE("the reference page has every key once") {
  const std::string page = reference_page();
  std::set<std::string> seen;
  for_each_key([&](const KeyEntry& entry) {
    CAPTURE(entry.key);
    CHECK(seen.insert(entry.key).second);
    if (entry.default_value == nullptr) return;
    const std::string row = "| `" + entry.key + "` |";
    const auto at = page.find(row);
    REQUIRE(at != std::string::npos);
    CHECK(page.find(row, at + 1) == std::string::npos);
  });
}
