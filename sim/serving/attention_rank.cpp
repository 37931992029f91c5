#include "sim/serving/attention_rank.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/errors.hpp"

namespace moesim {

void StepEvents::clear() {
  moved.clear();
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

void AttentionRank::plan_rows(RankRequest& request, int rows) {
  request.planned = rows;
  batch_.domain_tokens[static_cast<std::size_t>(request.domain)] += rows;
}

int AttentionRank::blocks_for(int tokens) const {
  return (tokens + limits_.kv_block - 1) / limits_.kv_block;
}

void AttentionRank::enqueue(const RankRequest& request) {
  const auto behind = std::ranges::find_if(
      waiting_, [&](const RankRequest& other) { return other.priority < request.priority; });
  waiting_.insert(behind, request);
  outstanding_ += request.prompt_left + request.output_left;
}

void AttentionRank::begin_step() {
  batch_.clear();
  budget_ = limits_.max_tokens;
  for (RankRequest& r : running_) r.planned = 0;
}

bool AttentionRank::has_prefill_work() const {
  if (running() > decoding_) return true;
  if (waiting_.empty() || running() >= limits_.max_batch) return false;
  const auto reserve =
      static_cast<std::int64_t>(limits_.watermark * static_cast<double>(limits_.kv_blocks));
  const RankRequest& first = waiting_.front();
  const int need = blocks_for(first.context + first.prompt_left + 1);
  return running_.empty() || used_blocks_ + need <= limits_.kv_blocks - reserve;
}

// Gives the request blocks for `tokens` more tokens of context, preempting younger ones.
bool AttentionRank::grow(RankRequest& request, int tokens, StepEvents& events) {
  const int need = blocks_for(request.context + tokens) - request.blocks;
  if (need <= 0) return true;
  while (used_blocks_ + need > limits_.kv_blocks) {
    if (!preempt_youngest(request, events)) return false;
  }
  request.blocks += need;
  used_blocks_ += need;
  return true;
}

void AttentionRank::swap_out(RankRequest& request) {
  request.host_blocks = blocks_for(request.context);
  host_blocks_ += request.host_blocks;
  batch_.swapped_tokens += request.context;
}

// One that waits is taken out for good.
void AttentionRank::forget(const RankRequest& waiting) {
  outstanding_ -= waiting.prompt_left + waiting.output_left;
  host_blocks_ -= waiting.host_blocks;
}

void AttentionRank::preempt_last(StepEvents& events) {
  RankRequest last = running_.back();
  release(last);
  if (last.prompt_left == 0) --decoding_;
  if (last.context > 0 && host_blocks_ + blocks_for(last.context) <= limits_.host_blocks) {
    swap_out(last);
  } else {
    last.prompt_left += last.context;
    outstanding_ += last.context;
    last.context = 0;
  }
  last.blocks = 0;
  last.planned = 0;
  events.moved.push_back({last.request, StepEvents::Move::preempted});
  waiting_.push_front(last);
  running_.pop_back();
}

// False when `keep` is itself the youngest. Only requests behind `keep` are moved, so that
// references to it stay valid.
bool AttentionRank::preempt_youngest(const RankRequest& keep, StepEvents& events) {
  const RankRequest& last = running_.back();
  if (&last == &keep || last.planned > 0) return false;
  preempt_last(events);
  return true;
}

void AttentionRank::release(const RankRequest& request) { used_blocks_ -= request.blocks; }

bool AttentionRank::ever_fits(int prompt, int output) const {
  if (limits_.prefill_only) output = 1;
  const int drafts = static_cast<int>(std::ceil(limits_.speculative_tokens));
  return blocks_for(prompt + output + drafts + 1) <= limits_.kv_blocks;
}

void AttentionRank::plan_decodes(StepEvents& events) {
  // Requests that come with their KV (from a prefill pool) join before the step's decodes.
  int nothing = 0;
  if (!waiting_.empty() && waiting_.front().prompt_left == 0) admit(nothing, events);
  const int rows = 1 + static_cast<int>(std::ceil(limits_.speculative_tokens));
  for (std::size_t i = 0; i < running_.size() && budget_ >= rows; ++i) {
    RankRequest& r = running_[i];
    if (r.prompt_left > 0) continue;
    if (!grow(r, rows, events)) break;
    plan_rows(r, rows);
    budget_ -= rows;
    batch_.decodes += 1;
    batch_.decode_tokens += rows;
    batch_.decode_context += r.context;
  }
}

void AttentionRank::plan_prefill(StepEvents& events) {
  int budget = budget_;
  for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
    RankRequest& r = running_[i];
    if (r.prompt_left == 0) continue;
    const int chunk = std::min(budget, r.prompt_left);
    if (!grow(r, chunk, events)) break;
    plan_rows(r, chunk);
    batch_.chunks.push_back({chunk, r.context});
    budget -= chunk;
  }
  admit(budget, events);
  budget_ = budget;
}

void AttentionRank::admit(int& budget, StepEvents& events) {
  const auto reserve =
      static_cast<std::int64_t>(limits_.watermark * static_cast<double>(limits_.kv_blocks));
  while (!waiting_.empty() && running() < limits_.max_batch) {
    RankRequest r = waiting_.front();
    // The whole prompt and its first token must fit, or it would be preempted at once.
    const int need = blocks_for(r.context + r.prompt_left + 1);
    const std::int64_t limit =
        running_.empty() ? limits_.kv_blocks : limits_.kv_blocks - reserve;
    if (used_blocks_ + need > limit) return;
    const bool comes_with_kv = r.prompt_left == 0;
    int chunk = std::min(budget, r.prompt_left);
    if (!limits_.chunked_prefill && chunk < r.prompt_left) {
      // A prompt longer than the cap runs alone, in one step, as engines without chunks do.
      if (budget < limits_.max_tokens) return;
      chunk = r.prompt_left;
    }
    if (!comes_with_kv && chunk == 0) return;  // no budget left for a prompt
    waiting_.pop_front();
    r.blocks = need;
    used_blocks_ += need;
    if (r.host_blocks > 0) {
      batch_.swapped_tokens += r.context;
      host_blocks_ -= r.host_blocks;
      r.host_blocks = 0;
    }
    plan_rows(r, chunk);
    budget = std::max(0, budget - chunk);
    events.moved.push_back({r.request, StepEvents::Move::admitted, r.waits_for});
    r.waits_for = Cause::queueing;
    if (comes_with_kv) {
      ++decoding_;
    } else {
      batch_.chunks.push_back({chunk, r.context});
    }
    running_.push_back(r);
  }
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
    events.first_token.push_back(r.request);
  }
  r.last_token = now;
  r.produced += 1;
  r.output_left -= 1;
  outstanding_ -= 1;
  events.output_tokens += 1;
}

void AttentionRank::complete_decode(RankRequest& r, Seconds now, StepEvents& events) {
  const int tokens = tokens_accepted(r);
  const Seconds gap = now - r.last_token;
  if (events.gaps.empty() || events.gaps.back().gap != gap) events.gaps.push_back({gap, 0});
  events.gaps.back().count += 1;
  r.last_token = now;
  r.context += tokens;
  r.produced += tokens;
  r.output_left -= tokens;
  outstanding_ -= tokens;
  events.output_tokens += tokens;
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
  std::erase_if(waiting_, [&](const RankRequest& r) {
    if (r.produced > 0 || r.waits_for != Cause::queueing || r.arrival >= earliest) return false;
    forget(r);
    out.push_back(r);
    return true;
  });
  return out;
}

std::vector<RankRequest> AttentionRank::evict_all() {
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
