#include "sim/workload/trace.hpp"

#include <unistd.h>

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <filesystem>

#include "sim/base/diagnostics.hpp"
#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"
#include "sim/workload/source.hpp"

using namespace moesim;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  fs::path folder =
      fs::temp_directory_path() / ("moesim_trace_test_" + std::to_string(::getpid()));
  Scratch() { fs::create_directories(folder); }
  ~Scratch() { fs::remove_all(folder); }
  std::string file(const std::string& name, const std::string& text) const {
    write_file(folder / name, text);
    return (folder / name).string();
  }
};

std::vector<Request> all(RequestSource source) {
  std::vector<Request> requests;
  while (const auto r = source.next()) requests.push_back(*r);
  return requests;
}

constexpr const char* kCsv =
    "# a comment\n"
    "arrival_s,input_tokens,output_tokens,tenant,priority,prefix\n"
    "12.5,200,20,\"b,1\",2,9\r\n"
    "10,100,10,a,0,0\n"
    "\n"
    "11,150,15,a,0,7\n";

}  // namespace

TEST_CASE("a CSV trace is read by column name, sorted, and begins at zero") {
  const Trace t = parse_trace(kCsv, "t.csv");
  REQUIRE(t.rows.size() == 3);
  CHECK(t.tenants == std::vector<std::string>{"b,1", "a"});
  CHECK(t.rows[0] == TraceRow{Seconds{0}, 100, 10, 1, 0, 0});
  CHECK(t.rows[1] == TraceRow{Seconds{1}, 150, 15, 1, 0, 7});
  CHECK(t.rows[2] == TraceRow{Seconds{2.5}, 200, 20, 0, 2, 9});
}

TEST_CASE("JSON lines say the same as CSV") {
  const Trace t = parse_trace(
      "{\"arrival_s\": 12.5, \"input_tokens\": 200, \"output_tokens\": 20, \"tenant\": "
      "\"b,1\", "
      "\"priority\": 2, \"prefix\": 9}\n"
      "{\"output_tokens\": 10, \"arrival_s\": 10, \"input_tokens\": 100, \"tenant\": \"a\", "
      "\"more\": [1]}\n"
      "{\"arrival_s\": 11, \"input_tokens\": 150, \"output_tokens\": 15, \"tenant\": \"a\", "
      "\"prefix\": 7}\n",
      "t.jsonl");
  CHECK(t.rows == parse_trace(kCsv, "t.csv").rows);
  CHECK(t.tenants == parse_trace(kCsv, "t.csv").tenants);
}

TEST_CASE("every faulty line is told with its place") {
  try {
    parse_trace("arrival_s,input_tokens,output_tokens\nx,1,1\n0,0,1\n1,2\n2,3,4\n", "bad.csv");
    FAIL("accepted");
  } catch (const InputError& e) {
    REQUIRE(e.diagnostics().size() == 3);
    CHECK(e.diagnostics()[0].place.line == 2);
    CHECK(e.diagnostics()[1].place.line == 3);
    CHECK(e.diagnostics()[2].place.line == 4);
    CHECK(e.diagnostics()[2].place.line_text == "1,2");
  }
  CHECK_THROWS_AS(parse_trace("arrival_s,input_tokens\n1,2\n", "bad.csv"), InputError);
  CHECK_THROWS_AS(parse_trace("", "empty.csv"), InputError);
  CHECK_THROWS_AS(parse_trace("[1]\nnot json\n{\"arrival_s\":1}\n", "bad.jsonl"), InputError);
  CHECK_THROWS_AS(parse_trace(std::string("\x00\xff\x12\n\x01", 5), "binary.csv"), InputError);
  CHECK_THROWS_AS(read_trace("/no/such/trace.csv"), WorldError);
}

TEST_CASE("a file of nothing but faults stops after the first twenty") {
  std::string text = "arrival_s,input_tokens,output_tokens\n";
  for (int i = 0; i < 1000; ++i) text += "x,1,1\n";
  try {
    parse_trace(text, "bad.csv");
    FAIL("accepted");
  } catch (const InputError& e) {
    CHECK(e.diagnostics().size() == 20);
  }
}

TEST_CASE("a replay gives the trace's requests, its tenants joined to the scenario's by name") {
  const Scratch scratch;
  TrafficOptions t;
  t.arrivals.process = ArrivalProcess::trace;
  t.arrivals.file = scratch.file("t.csv", kCsv);
  t.arrivals.speedup = 2;
  t.tenants = {{.name = "a", .domain = "code", .priority = 5}};
  const RequestSource source(t, 1, 100);
  REQUIRE(source.tenants().size() == 2);
  CHECK(source.tenants()[1].name == "b,1");
  const auto requests = all(RequestSource(t, 1, 100));
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].arrival == Seconds{0.5});
  CHECK(requests[1].input_tokens == 150);
  CHECK(requests[1].tenant == 0);
  CHECK(requests[1].priority == 5);
  CHECK(requests[2].tenant == 1);
  CHECK(requests[2].priority == 2);
  CHECK(requests[2].prefix == 9);
  CHECK(all(RequestSource(t, 1, 2)).size() == 2);
}

TEST_CASE("a replay does not depend on the seed") {
  const Scratch scratch;
  TrafficOptions t;
  t.arrivals.process = ArrivalProcess::trace;
  t.arrivals.file = scratch.file("t.csv", kCsv);
  CHECK(all(RequestSource(t, 1, 100)) == all(RequestSource(t, 2, 100)));
}

TEST_CASE("lengths from a trace go with arrivals of another process, row by row and again") {
  const Scratch scratch;
  TrafficOptions t;
  t.input_tokens.distribution = LengthDistribution::trace;
  t.input_tokens.file = scratch.file("t.csv", kCsv);
  t.output_tokens = t.input_tokens;
  const auto requests = all(RequestSource(t, 1, 4));
  CHECK(requests[0].input_tokens == 100);
  CHECK(requests[1].output_tokens == 15);
  CHECK(requests[3].input_tokens == 100);
}

TEST_CASE("whatever bytes a trace file has, it is read or refused, never worse") {
  const auto survives = [](const std::string& text, const std::string& name) {
    try {
      const Trace t = parse_trace(text, name);
      return !t.rows.empty() && t.rows.front().arrival == Seconds{0};
    } catch (const InputError&) {
      return true;
    }
  };
  REQUIRE(rc::check("bytes", [&](const std::string& text) {
    const std::string header = "arrival_s,input_tokens,output_tokens,prefix\n";
    RC_ASSERT(survives(text, "a.csv"));
    RC_ASSERT(survives(text, "a.jsonl"));
    RC_ASSERT(survives(header + text, "a.csv"));
  }));
  REQUIRE(rc::check("numbers", [&] {
    const auto cell = [] {
      return *rc::gen::element<std::string>("0", "1", "-1", "1e9", "1e300", "nan", "inf", "",
                                            "9e15", "0x1", "1.5", "\"2\"", "\"");
    };
    std::string text = "arrival_s,input_tokens,output_tokens,priority,prefix\n";
    for (int i = 0; i < 3; ++i) {
      for (int c = 0; c < 5; ++c) text += (c == 0 ? "" : ",") + cell();
      text += "\n";
    }
    RC_ASSERT(survives(text, "a.csv"));
  }));
}
