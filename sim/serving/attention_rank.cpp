#include "sim/serving/attention_rank.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

void StepEvents::clear() {
  moved.clear();
  prompts.clear();
  first_token.clear();
  finished.clear();
  handed_over.clear();
  gaps.clear();
  output_tokens = 0;
}

AttentionRank::AttentionRank(const RankLimits& limits, Stream stream)
    : limits_(limits), stream_(stream) {
  batch_.domain_tokens.resize(static_cast<std::size_t>(limits.domains));
}

int AttentionRank::blocks_for(int tokens) const {
  return (tokens + limits_.kv_block - 1) / limits_.kv_block;
}

void AttentionRank::enqueue(const RankRequest& request) {
  hold_back(request);
  receive();
}

void AttentionRank::hold_back(const RankRequest& request) {
  held_back_.push_back(request);
  outstanding_ += request.prompt_left + request.output_left;
}

std::int64_t AttentionRank::held_back_tokens() const {
  std::int64_t tokens = 0;
  for (const RankRequest& request : held_back_) tokens += request.prompt_left;
  return tokens;
}

void AttentionRank::receive() {
  for (const RankRequest& request : held_back_) {
    const auto behind = std::ranges::find_if(
        waiting_, [&](const RankRequest& other) { return other.priority < request.priority; });
    waiting_.insert(behind, request);
  }
  held_back_.clear();
}

// One that waits is taken out for good.
void AttentionRank::forget(const RankRequest& waiting) {
  outstanding_ -= waiting.prompt_left + waiting.output_left;
  host_blocks_ -= waiting.host_blocks;
}

void AttentionRank::release(const RankRequest& request) { used_blocks_ -= request.blocks; }

bool AttentionRank::ever_fits(int prompt, int output) const {
  if (limits_.prefill_only) output = 1;
  const int drafts = static_cast<int>(std::ceil(limits_.speculative_tokens));
  return blocks_for(prompt + output + drafts + 1) <= limits_.kv_blocks;
}

int AttentionRank::tokens_accepted(const RankRequest& request) {
  int tokens = 1;
  if (limits_.speculative_tokens > 0) {
    const double whole = std::floor(limits_.speculative_tokens);
    tokens += static_cast<int>(whole);
    if (stream_.uniform() < limits_.speculative_tokens - whole) ++tokens;
  }
  return std::min(tokens, static_cast<int>(request.output_left));
}

void AttentionRank::emit(RankRequest& r, int tokens, Seconds now, StepEvents& events) {
  const bool unseen = r.produced < limits_.first_chunk;
  r.last_token = now;
  r.produced += tokens;
  r.output_left -= tokens;
  outstanding_ -= tokens;
  events.output_tokens += tokens;
  // An answer shorter than a chunk is seen at its end.
  if (unseen && (r.produced >= limits_.first_chunk || r.output_left == 0)) {
    events.first_token.push_back(r.request);
  }
}

void AttentionRank::complete_prefill(RankRequest& r, Seconds now, StepEvents& events) {
  r.context += r.planned;
  r.prompt_left -= r.planned;
  outstanding_ -= r.planned;
  if (r.prompt_left > 0) return;
  ++decoding_;
  if (r.produced > 0) {
    // Recomputed after a preemption: the gap since its last token is what the user saw.
    events.gaps.push_back({now - r.last_token, 1});
  } else {
    events.prompts.push_back(r.request);
  }
  emit(r, 1, now, events);
}

void AttentionRank::complete_decode(RankRequest& r, Seconds now, StepEvents& events) {
  const int tokens = tokens_accepted(r);
  const Seconds gap = now - r.last_token;
  if (events.gaps.empty() || events.gaps.back().gap != gap) events.gaps.push_back({gap, 0});
  events.gaps.back().count += 1;
  r.context += tokens;
  emit(r, tokens, now, events);
}

void AttentionRank::complete(Seconds now, StepEvents& events) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    RankRequest& r = running_[i];
    if (r.planned > 0) {
      if (r.prompt_left > 0) {
        complete_prefill(r, now, events);
      } else {
        complete_decode(r, now, events);
      }
      r.planned = 0;
    }
    const bool done = r.output_left == 0 && r.prompt_left == 0;
    const bool leaves = limits_.prefill_only && r.prompt_left == 0 && r.produced > 0;
    if (done || leaves) {
      --decoding_;
      if (done) {
        release(r);
        events.finished.push_back(r.request);
      } else {
        outstanding_ -= r.output_left;
        held_blocks_ += r.blocks;
        events.handed_over.push_back(r);
      }
      continue;
    }
    if (kept != i) running_[kept] = r;
    ++kept;
  }
  running_.resize(kept);
  MOESIM_LAW(used_blocks_ >= 0 && used_blocks_ <= limits_.kv_blocks,
             "KV blocks in use are between none and all");
  MOESIM_LAW(host_blocks_ >= 0 && host_blocks_ <= limits_.host_blocks,
             "KV blocks in host memory are between none and all");
  MOESIM_LAW(outstanding_ >= 0, "outstanding tokens are never negative");
}

void AttentionRank::free_kv(int blocks, int life) {
  if (life != life_) return;
  used_blocks_ -= blocks;
  held_blocks_ -= blocks;
}

// What is on its way is taken to have left.
void AttentionRank::drop_held() {
  used_blocks_ -= held_blocks_;
  held_blocks_ = 0;
  ++life_;
}

std::vector<RankRequest> AttentionRank::resize_kv(std::int64_t blocks, StepEvents& events) {
  limits_.kv_blocks = blocks;
  drop_held();
  receive();
  while (used_blocks_ > blocks) preempt_last(events);
  std::vector<RankRequest> out;
  std::erase_if(waiting_, [&](const RankRequest& r) {
    if (ever_fits(r.context + r.prompt_left, r.output_left)) return false;
    forget(r);
    out.push_back(r);
    return true;
  });
  return out;
}

std::vector<RankRequest> AttentionRank::shed_before(Seconds earliest) {
  std::vector<RankRequest> out;
  const auto late = [&](const RankRequest& r) {
    if (r.started || r.arrival >= earliest) return false;
    forget(r);
    out.push_back(r);
    return true;
  };
  std::erase_if(waiting_, late);
  std::erase_if(held_back_, late);
  return out;
}

std::vector<RankRequest> AttentionRank::evict_all() {
  receive();
  std::vector<RankRequest> out;
  for (const RankRequest& r : running_) out.push_back(r);
  for (const RankRequest& r : waiting_) out.push_back(r);
  for (RankRequest& r : out) {
    r.prompt_left += r.context;
    r.context = 0;
    r.blocks = 0;
    r.host_blocks = 0;
    r.planned = 0;
  }
  running_.clear();
  waiting_.clear();
  batch_.clear();
  decoding_ = 0;
  drop_held();
  used_blocks_ = 0;
  host_blocks_ = 0;
  outstanding_ = 0;
  return out;
}

}  // namespace moesim
