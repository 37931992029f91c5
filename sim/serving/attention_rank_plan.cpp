// Planning of a step: who decodes, whose prompt advances, who is admitted, who has to leave.
#include <algorithm>
#include <cmath>

#include "sim/serving/attention_rank.hpp"

namespace moesim {

void AttentionRank::plan_rows(RankRequest& request, int rows) {
  request.planned = rows;
  batch_.domain_tokens[static_cast<std::size_t>(request.domain)] += rows;
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
    r.started = true;
    if (comes_with_kv) {
      ++decoding_;
    } else {
      batch_.chunks.push_back({chunk, r.context});
    }
    running_.push_back(r);
  }
}

}  // namespace moesim
