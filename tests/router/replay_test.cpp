#include "sim/router/replay.hpp"

#include <rapidcheck.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <numeric>

#include "sim/base/diagnostics.hpp"
#include "sim/base/files.hpp"
#include "sim/router/router.hpp"

using namespace moesim;

namespace {

std::vector<Stream> streams_for(int layers) {
  std::vector<Stream> streams;
  for (int l = 0; l < layers; ++l) {
    streams.emplace_back(1, "test.replay", static_cast<std::uint64_t>(l));
  }
  return streams;
}

std::vector<int> step_of(Replay& replay, int tokens, std::span<Stream> streams, int cells) {
  std::vector<int> counts(static_cast<std::size_t>(cells));
  replay.counts(tokens, streams, counts);
  return counts;
}

// Two layers, three experts, top 2: five tokens in step 0, two in step 7.
const LoadTrace kLoad{.layers = 2,
                      .experts = 3,
                      .steps = {0, 7},
                      .counts = {{5, 3, 2, 4, 4, 2}, {2, 0, 2, 1, 2, 1}}};

}  // namespace

TEST_CASE("a step with the recorded tokens replays the recorded counts; steps cycle") {
  Replay replay(kLoad, 2);
  auto streams = streams_for(2);
  CHECK(step_of(replay, 5, streams, 6) == kLoad.counts[0]);
  CHECK(step_of(replay, 2, streams, 6) == kLoad.counts[1]);
  CHECK(step_of(replay, 5, streams, 6) == kLoad.counts[0]);
  CHECK(step_of(replay, 200, streams, 6) == std::vector<int>{200, 0, 200, 100, 200, 100});
}

TEST_CASE(
    "scaled counts: total is tokens x top_k, each within one of its share, none above T") {
  rc::check([] {
    const int tokens = *rc::gen::inRange(0, 100000);
    Replay replay(kLoad, 2);
    auto streams = streams_for(2);
    const auto counts = step_of(replay, tokens, streams, 6);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      int sum = 0;
      for (std::size_t i = 3 * layer; i < 3 * layer + 3; ++i) {
        sum += counts[i];
        RC_ASSERT(counts[i] >= 0);
        RC_ASSERT(counts[i] <= tokens);
        RC_ASSERT(std::abs(counts[i] - kLoad.counts[0][i] * tokens / 5.0) < 1);
      }
      RC_ASSERT(sum == 2 * tokens);
    }
  });
}

TEST_CASE("a step that top_k routing cannot give is refused") {
  LoadTrace odd = kLoad;
  odd.counts[1] = {3, 0, 1, 1, 2, 1};  // 2 tokens, but one expert has 3
  CHECK_THROWS_WITH(Replay(odd, 2), Catch::Contains("step 7, layer 0"));
}

TEST_CASE("a token trace replays its tokens one after the other, as often as they count") {
  const TokenTrace trace{.layers = 1,
                         .experts = 4,
                         .top_k = 2,
                         .chosen = {{0, 1, 1, 2, 0, 3}},
                         .weight = {{1, 2, 1}},
                         .source = {{0, 0, 0}}};
  Replay replay(trace);
  auto streams = streams_for(1);
  CHECK(step_of(replay, 1, streams, 4) == std::vector<int>{1, 1, 0, 0});
  CHECK(step_of(replay, 1, streams, 4) == std::vector<int>{0, 1, 1, 0});
  CHECK(step_of(replay, 3, streams, 4) == std::vector<int>{2, 2, 1, 1});  // the trace's end
  CHECK(step_of(replay, 0, streams, 4) == std::vector<int>{0, 0, 0, 0});
  CHECK(step_of(replay, 9, streams, 4) == std::vector<int>{4, 7, 5, 2});  // twice, and (1, 2)
}

TEST_CASE("a router that replays gives the trace's counts and samples the trace's tokens") {
  const auto folder = std::filesystem::temp_directory_path() / "moesim_replay_test";
  std::filesystem::create_directories(folder);
  const RouterShape shape{.layers = 2, .experts = 3, .top_k = 2};
  RouterOptions options;
  options.replay = true;
  options.skew = (folder / "load.csv").string();
  write_load_trace(options.skew, kLoad);
  Router load(options, shape, 1);
  ExpertCounts counts;
  load.counts({.tokens = 5}, counts);
  CHECK(counts == kLoad.counts[0]);

  options.skew = (folder / "tokens.jsonl").string();
  write_file(options.skew,
             "{\"layer\":0,\"experts\":[0,1],\"request\":1,\"position\":0}\n"
             "{\"layer\":1,\"experts\":[1,2],\"request\":1,\"position\":0}\n"
             "{\"layer\":0,\"experts\":[0,2],\"request\":0,\"position\":0}\n"
             "{\"layer\":1,\"experts\":[0,1],\"request\":0,\"position\":0}\n");
  Router tokens(options, shape, 1);
  tokens.counts({.tokens = 1}, counts);  // in the order of recording
  CHECK(counts == ExpertCounts{1, 1, 0, 0, 1, 1});
  const TokenSample& sample = tokens.sample(1);
  CHECK(sample.of(0)[0] == 1);
  CHECK(sample.of(sample.tokens - 1)[0] == 0);

  options.skew = "mixtral";
  CHECK_THROWS_AS(Router(options, shape, 1), InputError);
  std::filesystem::remove_all(folder);
}
