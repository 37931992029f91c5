// What is wrong with a file is told all at once: place, caret, expectation, hint.
#include <catch2/catch.hpp>

#include "tests/scenario/support.hpp"

using namespace moesim;
using namespace moesim::tests;

namespace {

// The only fault of the text.
Diagnostic fault(const std::string& text, const std::vector<std::string>& set = {}) {
  const auto all = faults_of(text, set);
  REQUIRE(all.size() == 1);
  return all.front();
}

}  // namespace

TEST_CASE("all faults of a file are told at once, each at its line and column") {
  const auto faults = faults_of(kStart +
                                "[serving]\n"
                                "ttp = 1\n"
                                "max_batch = \"many\"\n"
                                "mode = \"agregated\"\n"
                                "[traffic]\n"
                                "arrivals = { rate = \"-3 req/s\" }\n");
  REQUIRE(faults.size() == 4);
  CHECK(faults[0].place == Place{"a.toml", 7, 1, "ttp = 1"});
  CHECK(faults[0].hint == "did you mean 'tp'?");
  CHECK(faults[1].place == Place{"a.toml", 8, 13, "max_batch = \"many\""});
  CHECK(faults[1].message == "serving.max_batch is 'many'");
  CHECK(faults[1].expected == "a whole number, 1 to 1048576");
  CHECK(faults[2].hint == "did you mean 'aggregated'?");
  CHECK(faults[3].place.column == 21);
  CHECK(faults[3].message.find("out of range") != std::string::npos);
}

TEST_CASE("an unknown key names the nearest, or the section where it lives") {
  CHECK(fault(kStart + "[placement]\nstrategi = 1\n").hint == "did you mean 'strategy'?");
  CHECK(fault("tp = 2\n" + kStart).hint == "'tp' is a key of [serving]");
  CHECK(fault(kStart + "[traffic]\nseed = 2\n").hint ==
        "'seed' is a key outside of all sections");
  CHECK(fault(kStart + "[sevring]\n").hint == "did you mean 'serving'?");
}

TEST_CASE("a wrong type, unit or range says what would be right") {
  CHECK(fault(kStart + "[slo]\nttft_p99 = \"5 parsecs\"\n").message.find("'parsecs'") !=
        std::string::npos);
  CHECK(fault(kStart + "[slo]\nttft_p99 = \"soon\"\n").expected.starts_with("a time such as"));
  CHECK(fault(kStart + "[slo]\nttft_p99 = []\n").message == "slo.ttft_p99 is a list");
  CHECK(fault(kStart + "[slo]\nttft_p99 = 1979-05-27\n").message ==
        "slo.ttft_p99 is a date or time");
  CHECK(fault("requests = 1.5\n" + kStart).message.find("not a whole number") !=
        std::string::npos);
  CHECK(fault("requests = 0\n" + kStart).message == "requests is 0, which is out of range");
  CHECK(fault("seed = -1\n" + kStart).message == "seed is -1, which is out of range");
  CHECK(fault("requests = 99999999999999\n" + kStart).message.find("out of range") !=
        std::string::npos);
  CHECK(fault(kStart + "[serving]\nprefix_hit_ratio = nan\n").message ==
        "serving.prefix_hit_ratio is nan");
  CHECK(fault(kStart + "[serving]\nchunked_prefill = 1\n").expected == "true or false");
  CHECK(fault("slo = 3\n" + kStart).expected.starts_with("a table: [slo] with keys ttft_p50"));
  CHECK(fault("fault = 3\n" + kStart).expected == "tables, each under [[fault]]");
}

TEST_CASE("a number that the key's own type cannot hold is out of range, not wrapped around") {
  CHECK(fault(kStart, {"placement.training_tokens=9223372036854775807"})
            .message.find("out of range") != std::string::npos);
}

TEST_CASE("a --set that no TOML file could hold is refused") {
  CHECK(fault(kStart, {"name=\xff"}).message == "--set is not plain text");
  CHECK(fault(kStart, {"name=a\nseed = 2"}).message == "--set is not plain text");
}

TEST_CASE("a duplicate key and a syntax error are told at their place") {
  CHECK(fault("seed = 1\nseed = 2\n" + kStart).place.line == 2);
  const Diagnostic broken = fault(kStart + "[serving\ntp = 1\n");
  CHECK(broken.message.starts_with("not valid TOML"));
  CHECK(broken.place.line == 6);
}

TEST_CASE(
    "an unknown preset names the nearest, and does not complain of what it would have said") {
  CHECK(fault(kStart, {"model.preset=deepseek-v33"}).hint == "did you mean 'deepseek-v3'?");
  CHECK(fault(kStart, {"cluster.preset=17"}).message == "preset is an integer");
  CHECK(fault(kStart, {"model.preset=nowhere.toml"}).message.find("nowhere.toml") !=
        std::string::npos);
}

TEST_CASE("a scenario without model or cluster is told what it needs") {
  const auto faults = faults_of("seed = 1\n");
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].message.starts_with("[model] does not say layers, hidden, vocab, attention"));
  CHECK(faults[0].expected.find("deepseek-v3") != std::string::npos);
  CHECK(faults[1].message.starts_with("[cluster] does not say gpu, node"));
}

TEST_CASE("an empty file, a folder, a missing file and binary garbage are each told") {
  CHECK(fault("").message == "the scenario is empty");
  CHECK(fault(" \n# nothing\n").message == "the scenario is empty");
  CHECK(fault(std::string("\x7f"
                          "ELF\x02\x00\xff\xfe",
                          8))
            .message.starts_with("not valid TOML"));
  Diagnostics diagnostics;
  read_scenario("/", {}, diagnostics);
  read_scenario("/no/such/file.toml", {}, diagnostics);
  REQUIRE(diagnostics.all().size() == 2);
  CHECK(diagnostics.all()[0].message.find("folder") != std::string::npos);
  CHECK(diagnostics.all()[1].message.find("No such file") != std::string::npos);
}

TEST_CASE("a faulty --set is told with a caret under its own text") {
  CHECK(fault(kStart, {"placement.strategi=x"}).place ==
        Place{"--set", 1, 11, "placement.strategi=x"});
  CHECK(fault(kStart, {"placement.strategi="}).hint == "did you mean 'strategy'?");
  CHECK(fault(kStart, {"serving.tp"}).message == "--set has no '='");
  CHECK(fault(kStart, {"=3"}).message == "--set has an empty key");
  CHECK(fault(kStart, {"serving..tp=3"}).message == "--set has an empty key");
  CHECK(fault(kStart, {"serving.tp="}).message == "serving.tp is ''");
  CHECK(fault(kStart, {"traffic.tenant[5].share=1"}).message == "there is no element '5'");
}
