#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/router/fit.hpp"
#include "sim/router/load_trace.hpp"
#include "sim/router/token_trace.hpp"

using namespace moesim;

namespace {

std::filesystem::path file_with(const std::string& text, const char* ending = ".csv") {
  const auto path =
      std::filesystem::temp_directory_path() / ("moesim_trace_test" + std::string(ending));
  write_file(path, text);
  return path;
}

// What the reader says about a file; "" when it accepts it.
std::string complaint(const std::string& text, const TraceShape& shape = {}) {
  try {
    (void)read_load_trace(file_with(text), shape);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

std::string token_complaint(const std::string& text, const TraceShape& shape = {}) {
  try {
    (void)read_token_trace(file_with(text, ".jsonl"), shape);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string kHeader = "step,layer,expert,count\n";

}  // namespace

TEST_CASE("a load trace reads back as it was written, in any row order, summed over sources") {
  const LoadTrace trace{.layers = 2,
                        .experts = 3,
                        .steps = {5, 9},
                        .counts = {{1, 0, 3, 2, 2, 0}, {0, 4, 0, 1, 1, 2}}};
  const auto path = file_with("");
  write_load_trace(path, trace);
  CHECK(read_load_trace(path, {.layers = 2, .experts = 3}) == trace);
  const auto mixed = read_load_trace(
      file_with("# recorded by hand\nstep,layer,expert,count,source\n1,0,1,2,1\n1,0,1,3,0\r\n"),
      {.layers = 1, .experts = 2});
  CHECK(mixed.counts == std::vector<std::vector<int>>{{0, 5}});
}

TEST_CASE("a gzip trace reads as the plain one, and a cut-off one says so") {
  const LoadTrace trace{
      .layers = 1, .experts = 3, .steps = {0, 1}, .counts = {{1, 0, 3}, {2, 2, 0}}};
  const auto plain = file_with("");
  write_load_trace(plain, trace);
  const std::string packed = plain.string() + ".gz";
  REQUIRE(std::system(("gzip -c '" + plain.string() + "' > '" + packed + "'").c_str()) == 0);
  CHECK(read_load_trace(packed, {.layers = 1, .experts = 3}) == trace);

  const std::string whole = read_file(packed);
  write_file(packed, whole.substr(0, whole.size() - 4));  // nearly all of its text is there
  CHECK_THROWS_WITH(read_load_trace(packed, {}), Catch::Contains("cut off"));
  CHECK_THROWS_WITH(read_load_trace(packed, {}), Catch::Contains(packed + ":"));
  std::filesystem::remove(packed);
}

TEST_CASE("faults of a load trace come with their line and reason") {
  CHECK(complaint(kHeader + "0,0,0,4\n").empty());
  CHECK(says(complaint(kHeader + "0,0,0,-4\n"), "moesim_trace_test.csv:2"));
  CHECK(says(complaint(kHeader + "0,0,0,-4\n"), "count is -4"));
  CHECK(says(complaint(kHeader + "0,0,0,x\n"), "count is 'x'"));
  CHECK(says(complaint(kHeader + "0,0,4\n"), "3 columns"));
  CHECK(says(complaint(kHeader + "0,0,0,4\n0,0,0,4\n"), "given on line 2 already"));
  CHECK(says(complaint(kHeader + "0,7,0,4\n", {.layers = 4}), "no MoE layer 7"));
  CHECK(says(complaint(kHeader + "0,0,9,4\n", {.experts = 8}), "no expert 9"));
  CHECK(says(complaint(kHeader + "0,0,0,4\n0,2,0,4\n"), "no tokens in layer 1"));
  CHECK(says(complaint(kHeader + "0,0,0,4\n0,1,0,5\n"), "layer 1 routes 5"));
  CHECK(says(complaint(kHeader + "0,0,0,5\n", {.top_k = 2}), "multiple of top_k = 2"));
  CHECK(says(complaint(kHeader + "0,0,0,4\n1,0,0,"), "cut off"));
  CHECK(says(complaint("layer,expert\n0,0\n"), "the header is"));
  CHECK(says(complaint(kHeader), "no rows"));
  CHECK(says(complaint(""), "is empty"));
  CHECK(says(complaint("\x1f\x8b\x08rest"), "damaged"));
  CHECK(says(complaint("\x28\xb5\x2f\xfdrest"), "zstd -d"));
}

TEST_CASE("all faults are told at once, but not thousands") {
  std::string many = kHeader;
  for (int i = 0; i < 100; ++i) many += "0,0,0,-1\n";
  const std::string told = complaint(many);
  CHECK(says(told, ":2"));
  CHECK(says(told, ":21"));
  INFO(told);
  CHECK(says(told, "80 more faults"));
}

TEST_CASE("a token trace reads back as it was written, and joins tokens over layers") {
  const auto path =
      file_with(R"({"layer":1,"experts":[3,1],"request":"a","position":0})"
                "\n"
                R"({"layer":0,"experts":[0,2],"request":"a","position":0,"source":5})"
                "\n",
                ".jsonl");
  const TokenTrace trace = read_token_trace(path, {.layers = 2, .experts = 4, .top_k = 2});
  CHECK(trace.joined);
  CHECK(trace.chosen == std::vector<std::vector<int>>{{0, 2}, {1, 3}});
  CHECK(trace.source[0] == std::vector<int>{5});
  write_token_trace(path, trace);
  CHECK(read_token_trace(path, {.layers = 2, .experts = 4, .top_k = 2}) == trace);
}

TEST_CASE("faults of a token trace come with their line and reason") {
  const std::string good = "{\"layer\":0,\"experts\":[0,1]}\n";
  CHECK(token_complaint(good).empty());
  CHECK(says(token_complaint("{\"layer\":0,\"experts\":[0,1\n"), ":1"));
  CHECK(says(token_complaint("{\"layer\":0,\"experts\":[0,1\n"), "not a JSON object"));
  CHECK(says(token_complaint(good + "{\"layer\":0,\"experts\":[0,1,2]}\n"), "3 experts"));
  CHECK(says(token_complaint(good + "{\"layer\":0,\"experts\":[1,1]}\n"), "same expert twice"));
  CHECK(says(token_complaint(good + "{\"layer\":0,\"experts\":[0,9]}\n", {.experts = 4}),
             "no expert 9"));
  CHECK(says(token_complaint(good + "{\"layer\":0,\"experts\":[-1,2]}\n"), "no expert -1"));
  CHECK(says(token_complaint(good + "{\"layer\":-1,\"experts\":[0,2]}\n"), "layer is -1"));
  CHECK(says(token_complaint(good + "{\"layer\":0,\"experts\":[0,2],\"count\":-3}\n"),
             "count is -3"));
  CHECK(says(token_complaint(good, {.layers = 2}), "no token has layer 1"));
  const std::string a = "{\"layer\":0,\"experts\":[0,1],\"request\":7,\"position\":0}\n";
  CHECK(says(token_complaint(a, {.layers = 2}), "lacks layer 1"));
  CHECK(says(token_complaint(a + a), "has layer 0 twice"));
  CHECK(says(token_complaint(a + good), "missing here"));
  CHECK(says(token_complaint(good + "{\"layer\":0,\"exp"), "cut off"));
  CHECK(says(token_complaint("\x1f\x8b\x08rest"), "damaged"));
}

TEST_CASE("a fitted router's file reads back, and its faults come with line and reason") {
  const FittedRouter fit{.layers = 2,
                         .experts = 2,
                         .top_k = 1,
                         .step_jitter = 0.125,
                         .class_share = {0.25, 0.75},
                         .pi = {0.5, 0.5, 0.25, 0.75, 1, 0, 0.5, 0.5}};
  const auto path = file_with("");
  write_router(path, fit);
  CHECK(read_router(path) == fit);
  CHECK(router_from_file(path, {.layers = 2, .experts = 2, .top_k = 1}) == fit);
  CHECK_THROWS_AS(router_from_file(path, {.layers = 3, .experts = 2, .top_k = 1}), InputError);

  const auto refused = [](const std::string& text) {
    try {
      (void)read_router(file_with(text));
    } catch (const InputError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(says(refused("hello\n"), "not a fitted router"));
  CHECK(says(refused("moesim-router,1,1,2,1,1,0\n1\n0.5,0.2\n"), "inclusions sum to 0.7"));
  CHECK(says(refused("moesim-router,1,1,2,1,1,0\n1\n0.5,nan\n"), "'nan'"));
  CHECK(says(refused("moesim-router,1,1,2,1,1,0\n1\n"), "0 lines of inclusions"));
}
