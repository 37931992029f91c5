#include "sim/serving/queue_look.hpp"

#include <catch2/catch.hpp>

#include "sim/serving/batching/batching.hpp"

using namespace moesim;

namespace {

RankRequest request(int index) {
  RankRequest r;
  r.request = index;
  r.prompt_left = 100;
  r.output_left = 1000;
  return r;
}

// Ranks that each decode one request.
std::vector<AttentionRank> decoding_ranks(int count) {
  std::vector<AttentionRank> ranks;
  StepEvents events;
  const PlanStep plan = find_entry(batching_policies(), "mixed", "batching policy").make;
  for (int d = 0; d < count; ++d) {
    ranks.emplace_back(RankLimits{.kv_blocks = 4096}, Stream(1, "rank", 0));
    ranks.back().enqueue(request(d));
  }
  plan(ranks, events);
  for (AttentionRank& rank : ranks) rank.complete(Seconds{1}, events);
  return ranks;
}

// How many looks until one is due; 0: none of the first `most`.
int steps_until_due(QueueLook& look, std::span<const AttentionRank> ranks, bool decoded,
                    int most = 1000) {
  for (int step = 1; step <= most; ++step) {
    if (look.due(ranks, decoded)) return step;
  }
  return 0;
}

}  // namespace

TEST_CASE("an engine that looks before every step holds nothing back") {
  QueueLook look({});
  CHECK_FALSE(look.holds_back());
}

TEST_CASE(
    "a queue looked at every n decode steps is seen within n, and after prompts at once") {
  for (const int n : {2, 7, 30}) {
    ServingOptions options;
    options.receive_interval = n;
    QueueLook look(options);
    REQUIRE(look.holds_back());
    std::vector<AttentionRank> ranks = decoding_ranks(1);
    ranks[0].hold_back(request(9));
    CHECK(steps_until_due(look, ranks, true) == n);
    CHECK(steps_until_due(look, ranks, true) == n);
    CHECK(steps_until_due(look, ranks, false) == 1);
  }
}

TEST_CASE("prompts wait until every rank has one, but not for ever") {
  ServingOptions options;
  options.rank_wait = 20;
  std::vector<AttentionRank> ranks = decoding_ranks(3);
  ranks[1].hold_back(request(8));
  QueueLook some(options);
  CHECK(steps_until_due(some, ranks, true) == 21);
  ranks[0].hold_back(request(9));
  ranks[2].hold_back(request(10));
  QueueLook all(options);
  CHECK(steps_until_due(all, ranks, true) == 1);
}

TEST_CASE("prompts wait until they fill their share of a step, but not for ever") {
  ServingOptions options;
  options.batch_wait = 40;
  options.batch_wait_ratio = 0.5;
  options.max_tokens_per_step = 1000;
  std::vector<AttentionRank> ranks = decoding_ranks(1);
  for (int i = 0; i < 4; ++i) ranks[0].hold_back(request(10 + i));
  QueueLook few(options);
  CHECK(steps_until_due(few, ranks, true) == 41);
  ranks[0].hold_back(request(20));
  QueueLook enough(options);
  CHECK(steps_until_due(enough, ranks, true) == 1);
}

TEST_CASE("nobody waits where a rank has nothing else to do") {
  ServingOptions options;
  options.receive_interval = 30;
  options.rank_wait = 30;
  options.batch_wait = 30;
  std::vector<AttentionRank> ranks = decoding_ranks(1);
  ranks.emplace_back(RankLimits{.kv_blocks = 4096}, Stream(1, "rank", 1));
  ranks[1].hold_back(request(9));
  QueueLook look(options);
  CHECK(steps_until_due(look, ranks, true) == 1);
}
