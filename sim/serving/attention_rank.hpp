// One attention rank: the requests it owns, their KV blocks, and continuous batching.
//
// A step is planned (which requests decode, which prompts advance by how much) and later
// completed (tokens come out). A prompt's last chunk yields the request's first token; each
// decode yields one token, or more with speculation. KV is held in blocks; when it runs out the
// youngest request is preempted and later recomputed from its prompt and produced tokens, or
// its KV is swapped to host memory and back, where there is room for it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sim/base/rng.hpp"
#include "sim/base/units.hpp"
#include "sim/metrics/cause.hpp"
#include "sim/serving/batch.hpp"

namespace moesim {

// A request as a rank sees it.
struct RankRequest {
  std::int32_t request = 0;      // index in the request table
  std::int32_t prompt_left = 0;  // prompt tokens still to compute; 0: comes with its KV
  std::int32_t context = 0;      // tokens in the KV cache
  std::int32_t output_left = 0;  // tokens still to produce
  std::int32_t produced = 0;
  std::int32_t blocks = 0;
  std::int32_t host_blocks = 0;  // its KV is in host memory
  std::int32_t planned = 0;      // in this step: prompt tokens, or rows decoded
  std::int32_t priority = 0;
  std::int32_t domain = 0;  // whose experts its tokens prefer
  bool started = false;     // has been in a batch, here or elsewhere
  Seconds arrival{0};
  Seconds last_token{0};
  Cause waits_for = Cause::queueing;  // what keeps it out of a batch
};

struct RankLimits {
  int max_batch = 128;
  int max_tokens = 8192;
  bool chunked_prefill = true;
  bool prefill_only = false;  // a prefill pool: hands requests over at the first token
  int kv_block = 64;          // tokens
  std::int64_t kv_blocks = 1024;
  double watermark = 0.01;        // of the blocks, kept free when admitting
  std::int64_t host_blocks = 0;   // room for the KV of preempted requests; 0: recompute
  double speculative_tokens = 0;  // accepted drafts per decode, mean
  int first_chunk = 1;            // tokens in the first chunk that the client sees
  int domains = 1;
};

// What came out of one step.
struct StepEvents {
  struct Gap {
    Seconds gap{0};
    int count = 0;  // tokens that come together are one gap
  };
  enum class Move { admitted, preempted };
  struct Moved {
    std::int32_t request = 0;
    Move move = Move::admitted;
    Cause waited = Cause::queueing;  // admitted: what it waited for
  };
  std::vector<Moved> moved;               // into and out of the running batch, in order
  std::vector<std::int32_t> prompts;      // computed to their end, once per request
  std::vector<std::int32_t> first_token;  // seen by the client
  std::vector<std::int32_t> finished;
  std::vector<RankRequest> handed_over;  // prefill_only
  std::vector<Gap> gaps;                 // between consecutive tokens of a request, pooled
  std::int64_t output_tokens = 0;

  void clear();
};

class AttentionRank {
 public:
  AttentionRank(const RankLimits& limits, Stream stream);

  void enqueue(const RankRequest& request);  // behind those of the same priority
  // The same, but planning does not see it before receive(): an engine that does not look at
  // its queue before every step.
  void hold_back(const RankRequest& request);
  void receive();
  [[nodiscard]] bool holds_back() const { return !held_back_.empty(); }
  [[nodiscard]] std::int64_t held_back_tokens() const;  // of prompts

  // False: even alone, the request would run out of KV; it must be refused.
  [[nodiscard]] bool ever_fits(int prompt, int output) const;

  // Planning. `begin_step` first, then the batching policy calls the others.
  void begin_step();
  [[nodiscard]] bool has_prefill_work() const;
  [[nodiscard]] bool has_decode_work() const { return decoding_ > 0; }
  // Every running request that has its prompt decodes, within the step's token budget.
  void plan_decodes(StepEvents& events);
  // Running prompts advance, then waiting requests are admitted, within the budget.
  void plan_prefill(StepEvents& events);
  [[nodiscard]] const RankBatch& batch() const { return batch_; }

  // Tokens of the planned step come out at `now`.
  void complete(Seconds now, StepEvents& events);

  // prefill_only: KV of what was handed over is held until the decode pool has it. `life` as it
  // was then; it grows when everything here is lost.
  void free_kv(int blocks, int life);
  [[nodiscard]] int life() const { return life_; }

  // Other room for KV from now on: preempts what no longer fits, and takes out the requests
  // that never will.
  std::vector<RankRequest> resize_kv(std::int64_t blocks, StepEvents& events);

  // Takes out those that arrived before `earliest` and were never in a batch.
  std::vector<RankRequest> shed_before(Seconds earliest);

  // Takes every request out, running and waiting, as requests to start anew (a dead GPU).
  std::vector<RankRequest> evict_all();

  [[nodiscard]] int waiting() const {
    return static_cast<int>(waiting_.size() + held_back_.size());
  }
  // Those in the running batch, oldest first.
  [[nodiscard]] const std::vector<RankRequest>& requests() const { return running_; }
  [[nodiscard]] int running() const { return static_cast<int>(running_.size()); }
  [[nodiscard]] bool idle() const { return waiting() + running() == 0; }
  [[nodiscard]] std::int64_t used_blocks() const { return used_blocks_; }
  // In host memory.
  [[nodiscard]] std::int64_t swapped_blocks() const { return host_blocks_; }
  // Tokens still to be computed or produced here: what a balancer calls load.
  [[nodiscard]] std::int64_t outstanding_tokens() const { return outstanding_; }

 private:
  [[nodiscard]] int blocks_for(int tokens) const;
  void plan_rows(RankRequest& request, int rows);
  void swap_out(RankRequest& request);
  void drop_held();
  void forget(const RankRequest& waiting);
  bool grow(RankRequest& request, int tokens, StepEvents& events);
  void preempt_last(StepEvents& events);
  bool preempt_youngest(const RankRequest& keep, StepEvents& events);
  void admit(int& budget, StepEvents& events);
  void release(const RankRequest& request);
  int tokens_accepted(const RankRequest& request);
  void emit(RankRequest& r, int tokens, Seconds now, StepEvents& events);
  void complete_prefill(RankRequest& request, Seconds now, StepEvents& events);
  void complete_decode(RankRequest& request, Seconds now, StepEvents& events);

  RankLimits limits_;
  Stream stream_;
  std::deque<RankRequest> waiting_;
  std::vector<RankRequest> held_back_;
  std::vector<RankRequest> running_;  // oldest first
  RankBatch batch_;
  int budget_ = 0;
  int decoding_ = 0;  // running requests whose prompt is complete
  std::int64_t used_blocks_ = 0;
  std::int64_t host_blocks_ = 0;  // in use
  std::int64_t held_blocks_ = 0;  // of used ones, of requests handed over
  int life_ = 0;
  std::int64_t outstanding_ = 0;
};

}  // namespace moesim
