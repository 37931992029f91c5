#include "sim/serving/attention_rank.hpp"

#include <catch2/catch.hpp>

#include <map>

#include "sim/serving/batching/batching.hpp"

using namespace moesim;

namespace {

RankRequest request(int index, int prompt, int output) {
  RankRequest r;
  r.request = index;
  r.prompt_left = prompt;
  r.output_left = output;
  return r;
}

struct Totals {
  int steps = 0;
  int first_tokens = 0;
  int finished = 0;
  int preempted = 0;
  std::int64_t output_tokens = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t swapped_tokens = 0;
};

// Runs steps of one second each until nothing is left.
Totals run(AttentionRank& rank, std::string_view policy, int limit = 100000) {
  const PlanStep plan = find_entry(batching_policies(), policy, "batching policy").make;
  Totals totals;
  StepEvents events;
  while (!rank.idle() && totals.steps < limit) {
    events.clear();
    plan({&rank, 1}, events);
    totals.prompt_tokens += rank.batch().prefill_tokens();
    totals.swapped_tokens += rank.batch().swapped_tokens;
    rank.complete(Seconds{static_cast<double>(++totals.steps)}, events);
    totals.first_tokens += static_cast<int>(events.first_token.size());
    totals.finished += static_cast<int>(events.finished.size());
    for (const auto& m : events.moved) {
      totals.preempted += m.move == StepEvents::Move::preempted ? 1 : 0;
    }
    totals.output_tokens += events.output_tokens;
  }
  return totals;
}

struct Enqueued {
  std::int64_t prompt = 0;
  std::int64_t output = 0;
};

// 200 requests of up to 150 prompt and 100 output tokens.
Enqueued enqueue_many(AttentionRank& rank) {
  Stream s(3, "lengths");
  Enqueued sum;
  for (int i = 0; i < 200; ++i) {
    const int in = 1 + static_cast<int>(s.below(150));
    const int out = 1 + static_cast<int>(s.below(100));
    REQUIRE(rank.ever_fits(in, out));
    rank.enqueue(request(i, in, out));
    sum.prompt += in;
    sum.output += out;
  }
  return sum;
}

}  // namespace

TEST_CASE("one request takes ceil(prompt / cap) prefill steps and output - 1 decodes") {
  for (const auto& entry : batching_policies()) {
    AttentionRank rank({.max_batch = 4, .max_tokens = 100, .kv_blocks = 64}, Stream(1, "rank"));
    rank.enqueue(request(0, 250, 10));
    const Totals t = run(rank, entry.name);
    CHECK(t.steps == 3 + 9);
    CHECK(t.prompt_tokens == 250);
    CHECK(t.output_tokens == 10);
    CHECK(t.finished == 1);
    CHECK(rank.used_blocks() == 0);
    CHECK(rank.outstanding_tokens() == 0);
  }
}

TEST_CASE("tokens are conserved under every batching policy, preemption included") {
  for (const auto& entry : batching_policies()) {
    for (const int blocks : {20, 40, 1000}) {
      INFO(entry.name << ", " << blocks << " blocks");
      AttentionRank rank(
          {.max_batch = 16, .max_tokens = 256, .kv_block = 16, .kv_blocks = blocks},
          Stream(1, "rank"));
      const auto [prompt, output] = enqueue_many(rank);
      const Totals t = run(rank, entry.name);
      CHECK(t.finished == 200);
      CHECK(t.first_tokens == 200);
      CHECK(t.output_tokens == output);
      CHECK(t.prompt_tokens >= prompt);
      CHECK((t.preempted > 0) == (t.prompt_tokens > prompt));
      CHECK(rank.used_blocks() == 0);
    }
  }
}

TEST_CASE(
    "swapped requests finish without computing a prompt twice; what goes out comes back") {
  for (const auto& entry : batching_policies()) {
    for (const std::int64_t host : {0, 10, 1000}) {
      INFO(entry.name << ", " << host << " host blocks");
      AttentionRank rank({.max_batch = 16,
                          .max_tokens = 256,
                          .kv_block = 16,
                          .kv_blocks = 20,
                          .host_blocks = host},
                         Stream(1, "rank"));
      const auto [prompt, output] = enqueue_many(rank);
      const Totals t = run(rank, entry.name);
      CHECK(t.finished == 200);
      CHECK(t.output_tokens == output);
      CHECK(t.preempted > 0);
      CHECK((t.swapped_tokens > 0) == (host > 0));
      if (host == 1000) CHECK(t.prompt_tokens == prompt);
      if (host == 0) CHECK(t.prompt_tokens > prompt);
      CHECK(rank.used_blocks() == 0);
      CHECK(rank.swapped_blocks() == 0);
      CHECK(rank.outstanding_tokens() == 0);
    }
  }
}

TEST_CASE("a step never exceeds the batch or the token cap") {
  AttentionRank rank({.max_batch = 8, .max_tokens = 64, .kv_block = 16, .kv_blocks = 500},
                     Stream(1, "rank"));
  for (int i = 0; i < 50; ++i) rank.enqueue(request(i, 100, 20));
  StepEvents events;
  const PlanStep plan = find_entry(batching_policies(), "mixed", "batching policy").make;
  for (int step = 1; !rank.idle(); ++step) {
    events.clear();
    plan({&rank, 1}, events);
    REQUIRE(rank.batch().tokens() <= 64);
    REQUIRE(rank.running() <= 8);
    rank.complete(Seconds{1.0 * step}, events);
  }
}

TEST_CASE("prefill_first never mixes prompts and decodes in one step") {
  AttentionRank rank({.max_batch = 8, .max_tokens = 64, .kv_blocks = 500}, Stream(1, "rank"));
  for (int i = 0; i < 20; ++i) rank.enqueue(request(i, 100, 20));
  StepEvents events;
  const PlanStep plan = find_entry(batching_policies(), "prefill_first", "policy").make;
  for (int step = 1; !rank.idle(); ++step) {
    events.clear();
    plan({&rank, 1}, events);
    REQUIRE((rank.batch().prefill_tokens() == 0 || rank.batch().decode_tokens == 0));
    rank.complete(Seconds{1.0 * step}, events);
  }
}

TEST_CASE("accepted drafts shorten the decode by their mean") {
  AttentionRank rank({.max_tokens = 4096, .kv_blocks = 1000, .speculative_tokens = 1.5},
                     Stream(1, "rank"));
  for (int i = 0; i < 64; ++i) rank.enqueue(request(i, 10, 1001));
  const Totals t = run(rank, "mixed");
  CHECK(t.output_tokens == 64 * 1001);
  CHECK(t.steps == Approx(1 + 1000 / 2.5).epsilon(0.06));
}

TEST_CASE("higher priority is admitted first, equal ones in their order") {
  AttentionRank rank({.max_batch = 1, .max_tokens = 4096, .kv_blocks = 100}, Stream(1, "rank"));
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) {
    RankRequest r = request(i, 10, 1);
    r.priority = i == 3 ? 1 : 0;
    rank.enqueue(r);
  }
  StepEvents events;
  while (!rank.idle()) {
    events.clear();
    rank.begin_step();
    rank.plan_prefill(events);
    for (const auto& m : events.moved) order.push_back(m.request);
    rank.complete(Seconds{1}, events);
  }
  CHECK(order == std::vector<int>{3, 0, 1, 2});
}

TEST_CASE("a request that comes with its KV decodes in the first step") {
  AttentionRank rank({.max_batch = 4, .kv_blocks = 100}, Stream(1, "rank"));
  RankRequest r = request(0, 0, 5);
  r.context = 100;
  r.produced = 1;
  rank.enqueue(r);
  const Totals t = run(rank, "mixed");
  CHECK(t.steps == 5);
  CHECK(t.finished == 1);
}

// A prompt of several chunks was preempted between two of them, before its first token, and was
// then shed as if nobody had begun it.
TEST_CASE("only requests that were never in a batch are shed, however long ago they came") {
  for (const std::int64_t host : {0, 100}) {
    AttentionRank rank({.max_batch = 4,
                        .max_tokens = 32,
                        .kv_block = 16,
                        .kv_blocks = 16,
                        .watermark = 0,
                        .host_blocks = host},
                       Stream(1, "rank"));
    rank.enqueue(request(0, 16, 100));
    rank.enqueue(request(1, 200, 1));
    rank.enqueue(request(2, 200, 1));
    StepEvents events;
    const auto step = [&] {
      rank.begin_step();
      rank.plan_decodes(events);
      rank.plan_prefill(events);
      rank.complete(Seconds{1}, events);
    };
    step();
    REQUIRE(rank.running() == 2);
    const std::vector<RankRequest> too_large = rank.resize_kv(13, events);
    REQUIRE(too_large.size() == 0);
    REQUIRE(rank.running() == 1);
    REQUIRE(rank.waiting() == 2);
    const std::vector<RankRequest> shed = rank.shed_before(Seconds{100});
    REQUIRE(shed.size() == 1);
    CHECK(shed.front().request == 2);
    CHECK(rank.waiting() == 1);
  }
}
