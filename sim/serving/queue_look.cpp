#include "sim/serving/queue_look.hpp"

#include <algorithm>

namespace moesim {

QueueLook::QueueLook(const ServingOptions& options)
    : interval_(options.receive_interval),
      rank_wait_(options.rank_wait),
      batch_wait_(options.batch_wait),
      batch_tokens_(options.batch_wait_ratio * options.max_tokens_per_step),
      holds_back_(interval_ > 1 || rank_wait_ > 0 || batch_wait_ > 0) {}

bool QueueLook::due(std::span<const AttentionRank> ranks, bool decoded) {
  if (!holds_back_) return false;
  if (decoded) ++unseen_;
  const bool held = std::ranges::any_of(ranks, &AttentionRank::holds_back);
  waited_ = held ? waited_ + 1 : 0;
  if (!held) {
    if (!decoded || unseen_ >= interval_) unseen_ = 0;
    return false;
  }
  double tokens = 0;  // of the rank with most
  bool all_have = true, all_run = true;
  for (const AttentionRank& rank : ranks) {
    tokens = std::max<double>(tokens, static_cast<double>(rank.held_back_tokens()));
    all_have = all_have && rank.waiting() > 0;
    all_run = all_run && rank.running() > 0;
  }
  const bool seen = !decoded || unseen_ >= interval_;
  const bool balanced = all_have || waited_ > rank_wait_;
  const bool enough = tokens >= batch_tokens_ || waited_ > batch_wait_;
  if (all_run && !(seen && balanced && enough)) return false;
  unseen_ = 0;
  waited_ = 0;
  return true;
}

}  // namespace moesim
