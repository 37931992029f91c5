// When an engine takes new requests from its queue into planning.
//
// Engines do not look before every step. SGLang polls its queue every `receive_interval` decode
// steps (scheduler-recv-interval), and after a step with prompts always. TensorRT-LLM holds
// prompts back until every attention rank has some, at most `rank_wait` steps
// (attention_dp_config: enable_balance, timeout_iters), and until there are enough for a step,
// at most `batch_wait` steps (batch_wait_timeout_iters, batch_wait_max_tokens_ratio). Nobody
// waits while there is nothing else to do.
#pragma once

#include <span>

#include "sim/serving/attention_rank.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

class QueueLook {
 public:
  explicit QueueLook(const ServingOptions& options);

  // Whether requests that come during a step are held back at all.
  [[nodiscard]] bool holds_back() const { return holds_back_; }
  // Asked before each step. `decoded`: the last step held no prompts.
  [[nodiscard]] bool due(std::span<const AttentionRank> ranks, bool decoded);

 private:
  int interval_;
  int rank_wait_;
  int batch_wait_;
  double batch_tokens_;
  bool holds_back_;
  int unseen_ = 0;  // decode steps since the last look
  int waited_ = 0;  // steps since the first request was held back
};

}  // namespace moesim
